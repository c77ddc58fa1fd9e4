-- One row per probe: its span, split and question. Texts are cut out at publication.
with

made as (

    select * from {{ ref('written_probes') }}
    union all by name
    select * from {{ ref('templated_probes') }}

),

identified as (

    select
        {{ identity([
            'made.document_id',
            'documents.text_hash',
            'made.atom_start',
            'made.atom_end',
            'made.split_offset',
            'made.verbalizer_prompt',
        ]) }}
        -- Two levels of a calibration can have the same probe.
        || if(settings.is_calibration, '-' || made.round_number, '') as probe_id,
        made.round_number,
        slots.source_model,
        made.doc_id,
        made.slot_idx,
        slots.scope,
        kinds.split_group,
        kinds.is_written,
        made.* exclude (round_number, doc_id, slot_idx, rejection_reason),
        case when made.target = 'suffix' then 0 else made.split_offset end as complement_start,
        case when made.target = 'suffix' then made.split_offset else documents.text_length end
            as complement_end,
        case
            when made.atom_start >= documents.prefix_length then 'source_model'
            when made.atom_end <= documents.prefix_length then 'shared_beginning'
            else 'both'
        end as atom_origin,
    from made
    join {{ ref('slots') }} as slots using (round_number, doc_id, slot_idx)
    join {{ ref('round_settings') }} as settings on made.round_number = settings.round_number
    join {{ ref('slot_kinds') }} as kinds on slots.slot_idx = kinds.slot_idx
    join {{ ref('documents') }} as documents using (document_id)
    where slots.state = 'probe'

),

-- Complete words between split and atom, with the sign of the target; 0 for an adjacent atom.
distances as (

    select
        probes.probe_id,
        len(
            list_filter(
                units.words,
                lambda x: case
                    when probes.target = 'suffix'
                        then x.starts_at >= probes.split_offset and x.ends_at <= probes.atom_start
                    else x.starts_at >= probes.atom_end and x.ends_at <= probes.split_offset
                end
            )
        ) as n_words,
    from identified as probes
    join {{ ref('document_units') }} as units using (document_id)

),

own as (

    select
        identified.*,
        {{ is_nested('identified.round_number, identified.doc_id', 'identified.split_offset') }} as is_nested,
        case when identified.target = 'suffix' then distances.n_words else -distances.n_words end
            as n_words_to_atom,
    from identified
    join distances using (probe_id)

)

select * from own

union all by name

-- Those of an adopted data set are as published.
select
    adopted.* exclude (answers, scores),
    kinds.split_group,
    kinds.is_written,
from {{ ref('adopted_probes') }} as adopted
join {{ ref('slot_kinds') }} as kinds using (slot_idx)
order by round_number, doc_id, slot_idx
