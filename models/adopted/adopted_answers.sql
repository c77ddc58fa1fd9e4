-- One row per written probe of an adopted round and arm in which it was asked: its answers and scores.
{{ config(materialized='view') }}

select
    probes.probe_id,
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    'complement' as arm,
    rounds.answerer_model,
    probes.answers,
    probes.scores,
    unscored.unscored_reason,
from {{ ref('adopted_probes') }} as probes
join {{ ref('stg_adopted_rounds') }} as rounds using (round_number)
left join {{ source('landing', 'adopted_unscored') }} as unscored
    on
        probes.round_number = unscored.round_number
        and probes.doc_id = unscored.doc_id
        and probes.slot_idx = unscored.slot_idx
where probes.scope not in ('word', 'lens')

union all

select
    probe_id,
    round_number,
    source_model,
    doc_id,
    slot_idx,
    arm,
    answerer_model,
    answers,
    scores,
    null as unscored_reason,
from {{ source('landing', 'adopted_control_answers') }}
