-- One row per round: its progress.
select
    settings.round_number,
    settings.state,
    settings.source_model,
    settings.n_docs as n_documents_wanted,
    count(distinct slots.doc_id) as n_documents,
    count(slots.slot_idx) as n_slots,
    count(*) filter (where slots.state = 'pending') as n_pending,
    count(*) filter (where slots.state = 'probe') as n_probes,
    count(*) filter (where slots.state = 'rejected') as n_rejected,
    count(*) filter (where scores.unscored_reason = 'pending') as n_awaiting_scores,
    count(*) filter (where scores.scores is not null) as n_scored,
from {{ ref('round_settings') }} as settings
left join {{ ref('slots') }} as slots using (round_number)
left join {{ ref('probes') }} as probes
    on
        slots.round_number = probes.round_number
        and slots.doc_id = probes.doc_id
        and slots.slot_idx = probes.slot_idx
left join {{ ref('probe_scores') }} as scores on probes.probe_id = scores.probe_id
group by all
order by settings.round_number
