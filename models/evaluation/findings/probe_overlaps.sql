-- One row per written probe: the share of its answer that occurs in other texts, and in a single part of
-- its atom (a clause of a sentence, a sentence of a paragraph, a paragraph of a whole).
with

cut as (

    select
        probes.round_number,
        probes.probe_id,
        probes.verbalizer_prompt,
        words.atom_words,
        words.answer_words,
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom,
        {{ text_between('documents.text', 'probes.complement_start', 'probes.complement_end') }}
            as complement,
        case
            -- Clauses end at punctuation followed by white space, and at dashes and brackets.
            when probes.scope = 'sentence'
                then regexp_split_to_array(atom, '[.!?;:,]+[\s\p{Z}]+|[()—–]+')
            else
                list_transform(
                    list_filter(
                        if(probes.scope = 'paragraph', units.sentences, units.paragraphs),
                        lambda x: x.ends_at > probes.atom_start and x.starts_at < probes.atom_end
                    ),
                    lambda x: {{ text_between(
                        'documents.text',
                        'greatest(x.starts_at, probes.atom_start)',
                        'least(x.ends_at, probes.atom_end)',
                    ) }}
                )
        end as parts,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('document_units') }} as units using (document_id)
    join {{ ref('probe_words') }} as words using (probe_id)
    where probes.is_written

),

texts as (

    select
        round_number,
        probe_id,
        atom_words,
        answer_words,
        {{ words_of('atom') }} as atom,
        {{ words_of('complement') }} as complement,
        {{ words_of('verbalizer_prompt') }} as question,
        list_filter(
            list_transform(parts, lambda part: {{ words_of('part') }}),
            lambda part: len(part) > 0
        ) as parts,
    from cut

),

grams as (

    select
        *,
        list_distinct({{ four_grams('atom') }}) as atom_grams,
        {{ four_grams('complement') }} as complement_grams,
        {{ four_grams('question') }} as question_grams,
    from texts

)

select
    round_number,
    probe_id,
    {{ contained_share('atom_words', 'complement') }} as atom_in_complement,
    {{ contained_share('atom_grams', 'complement_grams') }} as atom_copied_in_complement,
    {{ contained_share('atom_words', 'question') }} as atom_in_question,
    {{ contained_share('atom_grams', 'question_grams') }} as atom_copied_in_question,
    {{ contained_share('answer_words', 'complement') }} as answer_in_complement,
    {{ contained_share('answer_words', 'question') }} as answer_in_question,
    len(parts) as n_parts,
    case
        when len(parts) > 1
            then
                list_max(
                    list_transform(parts, lambda part: {{ contained_share('answer_words', 'part') }})
                )
    end as answer_in_one_part,
from grams
order by round_number, probe_id
