-- One row per written slot of a chosen document: the generator's probe, or why there is none.
with

asked as (

    select
        chosen.round_number,
        chosen.doc_id,
        chosen.document_id,
        chosen.label,
        chosen.text_length,
        chosen.sentences,
        chosen.paragraphs,
        chosen.prefix_length,
        chosen.other_lengths,
        settings.min_atom_words,
        kinds.slot_idx,
        kinds.scope,
        splits.sentence_number as split_sentence,
        splits.split_offset,
        splits.rejection_reason as split_rejection_reason,
        chosen.output.probes[kinds.slot_name] as probe,
        -- `d2.s17` is sentence 17 of document d2, `d2.p3` its paragraph 3.
        regexp_extract(
            chosen.output.probes[kinds.slot_name].units[1],
            '^(d\d+)\.([sp])(\d+)$',
            ['label', 'kind', 'number']
        ) as unit_id,
    from {{ ref('chosen_documents') }} as chosen
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('slot_kinds') }} as kinds on kinds.is_written
    join {{ ref('splits') }} as splits
        on
            chosen.round_number = splits.round_number
            and chosen.doc_id = splits.doc_id
            and kinds.split_group = splits.split_group

),

found as (

    select
        * exclude (unit_id),
        case
            when scope in ('sentence', 'paragraph') and unit_id.label != label then null
            when scope = 'sentence' and unit_id.kind = 's'
                then sentences[try_cast(unit_id.number as integer)]
            when scope = 'paragraph' and unit_id.kind = 'p'
                then paragraphs[try_cast(unit_id.number as integer)]
            when scope = 'whole' and probe.target = 'suffix'
                then {
                    'starts_at': sentences[split_sentence + 1].starts_at,
                    'ends_at': sentences[-1].ends_at
                }
            when scope = 'whole' and probe.target = 'prefix'
                then {
                    'starts_at': sentences[1].starts_at,
                    'ends_at': split_offset
                }
        end as atom,
    from asked

),

-- Counted in complete sentences and paragraphs, outward from the split.
measured as (

    select
        *,
        atom.starts_at as atom_start,
        atom.ends_at as atom_end,
        list_filter(
            case when scope = 'sentence' then sentences else paragraphs end,
            lambda x: case
                when probe.target = 'suffix'
                    then x.starts_at >= split_offset and x.ends_at <= atom.ends_at
                else x.ends_at <= split_offset and x.starts_at >= atom.starts_at
            end
        ) as units_to_atom,
        list_filter(
            sentences, lambda x: x.starts_at >= atom.starts_at and x.ends_at <= atom.ends_at
        ) as atom_sentences,
        list_filter(
            sentences,
            lambda x: case
                when probe.target = 'suffix' then x.starts_at >= split_offset
                else x.ends_at <= split_offset
            end
        ) as side_sentences,
        list_filter(
            paragraphs, lambda x: x.ends_at > atom.starts_at and x.starts_at < atom.ends_at
        ) as atom_paragraphs,
    from found

),

-- The only place where a probe is compared with texts; the texts are not kept.
compared as (

    select
        measured.*,
        {{ text_between('documents.text', 'atom_start', 'atom_end') }} as atom_text,
        {{ mentions_split('measured.probe.verbalizer_prompt', 'documents.text') }}
            as mentions_split,
        case
            when probe.target = 'suffix' then left(documents.text, split_offset)
            else substr(documents.text, split_offset + 1)
        end as complement,
        text_counts(probe.incorrect_plausible_answer, documents.language) as wrong_answer,
        -- What the shared beginning says excludes nothing.
        contains(
            lower(substr(documents.text, documents.prefix_length + 1)),
            {{ normalized_text('measured.probe.incorrect_plausible_answer') }}
        )
        or exists (
            from {{ ref('other_continuations') }} as others
            join {{ ref('stg_rollouts') }} as rollouts
                on others.other_document_id = rollouts.document_id
            where
                others.round_number = measured.round_number
                and others.doc_id = measured.doc_id
                and contains(
                    lower(rollouts.continuation),
                    {{ normalized_text('measured.probe.incorrect_plausible_answer') }}
                )
        ) as wrong_answer_in_sibling,
    from measured
    join {{ ref('documents') }} as documents using (document_id)

),

judged as (

    select
        *,
        case
            -- A complete probe that has the field, too, such as `"declined": false`, is a probe.
            when not {{ is_blank('probe.declined') }} and {{ is_blank('probe.verbalizer_prompt') }}
                then 'declined'
            when split_rejection_reason is not null then split_rejection_reason
            when probe is null then 'probe_missing'
            when coalesce(probe.target not in ('prefix', 'suffix'), true) then 'invalid_target'
            when
                {{ is_blank('probe.verbalizer_prompt') }}
                or {{ is_blank('probe.target_response') }}
                or {{ is_blank('probe.incorrect_plausible_answer') }}
                or {{ is_blank('probe.first_words') }}
                then 'field_missing'
            when
                regexp_matches(
                    concat(
                        probe.verbalizer_prompt,
                        probe.target_response,
                        probe.incorrect_plausible_answer
                    ),
                    '[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]'
                )
                then 'control_character'
            when scope != 'whole' and coalesce(len(probe.units) != 1, true) then 'not_one_unit'
            when atom_start is null or atom_end is null then 'unknown_unit'
            -- An atom without words cannot be checked.
            when
                len({{ first_words('atom_text') }}) = 0
                or {{ first_words('atom_text') }} != {{ first_words('probe.first_words') }}
                then 'first_words_differ'
            when
                probe.target = 'suffix' and atom_start < split_offset
                or probe.target = 'prefix' and atom_end > split_offset
                then 'atom_on_wrong_side'
            when scope = 'sentence' and {{ n_words('atom_text') }} < min_atom_words
                then 'atom_too_short'
            when scope = 'paragraph' and len(atom_sentences) < 2 then 'paragraph_of_one_sentence'
            when
                scope = 'paragraph' and len(atom_sentences) >= len(side_sentences)
                then 'paragraph_is_whole_side'
            when scope = 'whole' and len(atom_paragraphs) < 2 then 'half_of_one_paragraph'
            when
                probe.target = 'suffix'
                and coalesce(probe.typicality not in ('typical', 'atypical', 'neither'), true)
                then 'typicality_missing'
            when mentions_split then 'verbalizer_mentions_split'
            when
                contains(lower(probe.verbalizer_prompt), lower(atom_text))
                then 'verbalizer_contains_atom'
            when contains(complement, atom_text) then 'atom_in_complement'
            when
                contains(
                    lower(atom_text), {{ normalized_text('probe.incorrect_plausible_answer') }}
                )
                then 'wrong_answer_is_atom'
            when wrong_answer_in_sibling then 'wrong_answer_in_sibling'
            when
                scope = 'sentence' and wrong_answer.n_sentences != 1
                or scope = 'paragraph'
                and (wrong_answer.n_paragraphs != 1 or wrong_answer.n_sentences < 2)
                or scope = 'whole' and wrong_answer.n_sentences < 2
                then 'wrong_answer_shape_mismatch'
        end as first_reason,
    from compared

)

select
    judged.round_number,
    judged.doc_id,
    judged.slot_idx,
    judged.document_id,
    judged.split_offset,
    judged.probe.target,
    judged.atom_start,
    judged.atom_end,
    case
        when judged.scope = 'whole' then if(judged.probe.target = 'suffix', 1, -1)
        when judged.probe.target = 'suffix' then len(judged.units_to_atom)
        else -len(judged.units_to_atom)
    end as signed_index,
    case when judged.probe.target = 'suffix' then nullif(judged.probe.typicality, 'neither') end
        as typicality,
    -- A continuation that ends before the atom's place counts neither way.
    case
        when judged.probe.target = 'suffix'
            then
                len(
                    list_filter(
                        judged.other_lengths,
                        lambda x: {{ reaches('judged.prefix_length', 'x', 'judged.atom_start') }}
                    )
                )
    end as siblings_compared,
    judged.probe.verbalizer_prompt,
    judged.probe.target_response,
    judged.probe.incorrect_plausible_answer,
    judged.probe.synergy_check,
    case when judged.probe.target = 'suffix' then judged.probe.distribution_check end
        as distribution_check,
    judged.probe.difficulty_check,
    case when judged.first_reason = 'declined' then judged.probe.declined end as reason_declined,
    coalesce(
        judged.first_reason,
        case
            when
                row_number() over (
                    partition by
                        judged.round_number,
                        judged.doc_id,
                        judged.scope,
                        judged.atom_start,
                        judged.atom_end,
                        judged.first_reason
                    order by judged.slot_idx
                ) > 1
                then 'duplicate_atom'
        end
    ) as rejection_reason,
from judged
order by judged.round_number, judged.doc_id, judged.slot_idx
