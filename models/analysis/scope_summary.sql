-- One row per scope: slots, probes and scores.
select
    slots.scope,
    min(slots.slot_idx) as scope_order,
    count(*) as n_slots,
    count(*) filter (where slots.state = 'probe') as n_probes,
    count(*) filter (where slots.state = 'rejected') as n_rejected,
    count(*) filter (where slots.state = 'pending') as n_pending,
    count(*) filter (where scores.scores is not null) as n_scored,
    avg(scores.score_mean) as score_mean,
    avg(scores.score_max) as score_max_mean,
    avg((scored.band = 'hard')::integer) as hard_share,
    avg((scored.band = 'easy')::integer) as easy_share,
from {{ ref('slots') }} as slots
left join {{ ref('probes') }} as probes using (round_number, doc_id, slot_idx)
left join {{ ref('probe_scores') }} as scores on probes.probe_id = scores.probe_id
left join {{ ref('scored_probes') }} as scored on probes.probe_id = scored.probe_id
group by slots.scope
order by scope_order
