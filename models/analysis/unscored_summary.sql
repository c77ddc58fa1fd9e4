-- One row per scope and reason: written probes without scores.
select
    scores.unscored_reason,
    probes.scope,
    count(*) as n_probes,
from {{ ref('probe_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
where scores.unscored_reason is not null
group by all
order by n_probes desc, scores.unscored_reason, probes.scope
