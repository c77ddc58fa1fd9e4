-- Slots are all slots of all round documents, each in one state; probes and rejections are theirs.
with

counts as (

    select
        round_number,
        count(*) as n_slots,
        count(*) filter (where state = 'pending') as n_pending,
        count(*) filter (where state = 'probe') as n_probes,
        count(*) filter (where state = 'rejected') as n_rejected,
    from {{ ref('slots') }}
    group by round_number

),

wanted as (

    select
        documents.round_number,
        count(*) * (select count(*) from {{ ref('slot_kinds') }}) as n_slots,
        (
            select count(*) from {{ ref('probes') }} as probes
            where probes.round_number = documents.round_number
        ) as n_probes,
        (
            select count(*) from {{ ref('rejected_slots') }} as rejected
            where rejected.round_number = documents.round_number
        ) as n_rejected,
    from {{ ref('round_documents') }} as documents
    group by documents.round_number

)

select
    wanted.round_number,
    wanted.n_slots,
    counts.n_slots as n_slots_found,
from wanted
full join counts using (round_number)
where
    counts.n_slots is distinct from wanted.n_slots
    or counts.n_probes is distinct from wanted.n_probes
    or counts.n_rejected is distinct from wanted.n_rejected
    or counts.n_slots is distinct from counts.n_pending + counts.n_probes + counts.n_rejected
