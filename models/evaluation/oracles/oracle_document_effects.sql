-- One row per method, control condition (no state or another document's), group of probes, band (and all) and
-- document: scores with the real state minus scores under the condition, on the same probes. Groups: scope,
-- target and fold, and all of each. Words and lenses are not pooled and have no band.
select
    effects.oracle,
    effects.condition,
    effects.is_written,
    coalesce(effects.scope, 'all') as scope,
    coalesce(effects.target, 'all') as target,
    coalesce(effects.fold, 'all') as fold,
    coalesce(effects.band, 'all') as band,
    effects.source_model,
    effects.doc_id,
    count(effects.difference) as n_probes,
    count(*) filter (where effects.difference = 0) as n_equal,
    count(*) filter (where effects.is_missing) as n_missing,
    count(*) filter (where effects.is_empty) as n_empty,
    coalesce(sum(effects.difference), 0) as difference,
from {{ ref('oracle_probe_effects') }} as effects
where effects.is_missing or effects.difference is not null
group by
    effects.oracle,
    effects.condition,
    effects.is_written,
    effects.source_model,
    effects.doc_id,
    cube (effects.scope, effects.target, effects.fold, effects.band)
having
    (effects.is_written or grouping(effects.scope) = 0)
    and (grouping(effects.fold) = 1 or effects.fold is not null)
    and (grouping(effects.band) = 1 or effects.band is not null)
order by all
