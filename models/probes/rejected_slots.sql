-- One row per rejected slot, with the meaning of the reason.
select
    slots.round_number,
    slots.source_model,
    slots.doc_id,
    slots.slot_idx,
    slots.scope,
    slots.rejection_reason,
    reasons.meaning,
    written.reason_declined,
from {{ ref('slots') }} as slots
join {{ ref('rejection_reasons') }} as reasons using (rejection_reason)
left join {{ ref('written_probes') }} as written
    on
        slots.round_number = written.round_number
        and slots.doc_id = written.doc_id
        and slots.slot_idx = written.slot_idx
        and slots.rejection_reason = 'declined'
where slots.state = 'rejected'
order by slots.round_number, slots.doc_id, slots.slot_idx
