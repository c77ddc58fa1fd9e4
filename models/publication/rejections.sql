-- One row per slot of a started round without a probe, with the reason.
{{ config(materialized='view') }}

select
    round_number,
    source_model,
    doc_id,
    slot_idx,
    scope,
    rejection_reason,
    meaning,
    reason_declined,
from {{ ref('rejected_slots') }}
where round_number in (select round_number from {{ ref('published_rounds') }})
