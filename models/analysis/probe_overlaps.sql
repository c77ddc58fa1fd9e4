-- One row per written probe: how much of its answer other texts hold already.
with

cut as (

    select
        probes.round_number,
        probes.probe_id,
        probes.verbalizer_prompt,
        substr(documents.text, probes.atom_start + 1, probes.atom_end - probes.atom_start) as atom,
        substr(
            documents.text,
            probes.complement_start + 1,
            probes.complement_end - probes.complement_start
        ) as complement,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    where probes.is_written

),

texts as (

    select
        round_number,
        probe_id,
        {{ words_of('atom') }} as atom,
        {{ words_of('complement') }} as complement,
        {{ words_of('verbalizer_prompt') }} as question,
        -- Sentences, and what marks and dashes part within them.
        list_filter(
            list_transform(
                regexp_split_to_array(atom, '[.!?;:,()\n—–]+'),
                lambda clause: {{ words_of('clause') }}
            ),
            lambda clause: len(clause) > 0
        ) as clauses,
    from cut

),

grams as (

    select
        *,
        {{ four_grams('atom') }} as atom_grams,
        {{ four_grams('complement') }} as complement_grams,
        {{ four_grams('question') }} as question_grams,
    from texts

)

select
    grams.round_number,
    grams.probe_id,
    {{ held_share('words.atom_words', 'grams.complement') }} as atom_in_complement,
    {{ held_share('grams.atom_grams', 'grams.complement_grams') }} as atom_copied_in_complement,
    {{ held_share('words.atom_words', 'grams.question') }} as atom_in_question,
    {{ held_share('grams.atom_grams', 'grams.question_grams') }} as atom_copied_in_question,
    {{ held_share('words.target_words', 'grams.complement') }} as target_in_complement,
    {{ held_share('words.target_words', 'grams.question') }} as target_in_question,
    len(grams.clauses) as n_clauses,
    case
        when len(grams.clauses) > 1
            then
                list_max(
                    list_transform(
                        grams.clauses,
                        lambda clause: {{ held_share('words.target_words', 'clause') }}
                    )
                )
    end as target_in_one_clause,
from grams
join {{ ref('probe_words') }} as words using (probe_id)
order by grams.round_number, grams.probe_id
