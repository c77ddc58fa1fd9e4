-- One row per scope, typicality and band: suffix probes. Word and lens have no band: they are scored locally.
select
    probes.scope,
    probes.typicality,
    coalesce(scored.band, 'unscored') as band,
    count(*) as n_probes,
    avg(scored.score_max) as score_max_mean,
from {{ ref('probes') }} as probes
left join {{ ref('scored_probes') }} as scored using (probe_id)
where probes.target = 'suffix'
group by all
order by min(probes.slot_idx), probes.typicality, band
