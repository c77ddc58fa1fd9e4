-- One row per slot of an adopted document: a probe, or rejected with a reason.
{{ config(materialized='view') }}

select
    round_number,
    source_model,
    doc_id,
    slot_idx,
    scope,
    'probe' as state,
    null::varchar as rejection_reason,
    null::varchar as reason_declined,
from {{ ref('adopted_probes') }}

union all

select
    round_number,
    source_model,
    doc_id,
    slot_idx,
    scope,
    'rejected' as state,
    rejection_reason,
    reason_declined,
from {{ source('landing', 'adopted_rejections') }}
