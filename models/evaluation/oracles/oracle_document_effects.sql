-- One row per method, control condition (no state or another document's), group of probes, band (and all) and
-- document: scores with the real state minus scores under the condition, on the same probes. Groups: scope,
-- target and fold, and all of each. Words and lenses are not pooled and have no band.
select
    withheld.oracle,
    withheld.condition,
    withheld.is_written,
    coalesce(withheld.scope, 'all') as scope,
    coalesce(withheld.target, 'all') as target,
    coalesce(withheld.fold, 'all') as fold,
    coalesce(withheld.band, 'all') as band,
    withheld.source_model,
    withheld.doc_id,
    count(*) as n_probes,
    count(*) filter (where given.score_mean = withheld.score_mean) as n_equal,
    sum(given.score_mean - withheld.score_mean) as difference,
from {{ ref('oracle_probes') }} as withheld
join {{ ref('oracle_probes') }} as given
    on
        withheld.oracle = given.oracle
        and withheld.probe_id = given.probe_id
        and given.condition = 'real_state'
where
    withheld.condition != 'real_state'
    and withheld.score_mean is not null
    and given.score_mean is not null
group by
    withheld.oracle,
    withheld.condition,
    withheld.is_written,
    withheld.source_model,
    withheld.doc_id,
    cube (withheld.scope, withheld.target, withheld.fold, withheld.band)
having
    (withheld.is_written or grouping(withheld.scope) = 0)
    and (grouping(withheld.fold) = 1 or withheld.fold is not null)
    and (grouping(withheld.band) = 1 or withheld.band is not null)
order by all
