-- One row per rejected slot, with the meaning of the reason.
select
    slots.round_number,
    slots.source_model,
    slots.doc_id,
    slots.slot_idx,
    slots.scope,
    slots.rejection_reason,
    reasons.meaning,
    slots.reason_declined,
from {{ ref('slots') }} as slots
join {{ ref('rejection_reasons') }} as reasons using (rejection_reason)
where slots.state = 'rejected'
order by slots.round_number, slots.doc_id, slots.slot_idx
