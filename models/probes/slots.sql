-- One row per slot of a round's document: pending, a probe, or rejected with a reason.
-- No slot disappears: every other count of probes is a count of these rows.
with

judged as (

    select round_number, doc_id, slot_idx, rejection_reason, reason_declined from {{ ref('written_probes') }}
    union all by name
    select round_number, doc_id, slot_idx, rejection_reason from {{ ref('templated_probes') }}

),

reasoned as (

    select
        documents.round_number,
        documents.source_model,
        documents.doc_id,
        kinds.slot_idx,
        kinds.scope,
        case
            when settings.state = 'withdrawn' then 'round_withdrawn'
            when outputs.request_id is null then 'too_short_to_split'
            else coalesce(outputs.rejection_reason, judged.rejection_reason)
        end as rejection_reason,
        judged.reason_declined,
        judged.slot_idx is not null as is_judged,
    from {{ ref('round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)
    cross join {{ ref('slot_kinds') }} as kinds
    left join {{ ref('generator_outputs') }} as outputs using (round_number, doc_id)
    left join judged using (round_number, doc_id, slot_idx)
    where not settings.is_adopted

)

select
    round_number,
    source_model,
    doc_id,
    slot_idx,
    scope,
    case
        when rejection_reason is not null then 'rejected'
        when is_judged then 'probe'
        else 'pending'
    end as state,
    rejection_reason,
    case when rejection_reason = 'declined' then reason_declined end as reason_declined,
from reasoned

union all by name

select * from {{ ref('adopted_slots') }}
order by round_number, doc_id, slot_idx
