-- One row per scope and whether the complement was truncated for the answerer: scores.
select
    probes.scope,
    scores.complement_was_cut,
    count(*) as n_probes,
    avg(scored.score_max) as score_max_mean,
    avg((scored.band = 'hard')::integer) as hard_share,
    avg((scored.band = 'easy')::integer) as easy_share,
from {{ ref('scored_probes') }} as scored
join {{ ref('probes') }} as probes using (source_model, doc_id, slot_idx)
join {{ ref('probe_scores') }} as scores on probes.probe_id = scores.probe_id
group by all
order by probes.scope, scores.complement_was_cut
