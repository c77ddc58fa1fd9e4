-- One row per method, control condition (no state or another document's), group of probes, band (and all) and
-- document: scores with the real state minus scores under the condition, on the same probes. Groups: scope,
-- target and fold, and all of each. Words and lenses are not pooled and have no band.
with

controls as (

    select distinct
        oracle,
        condition,
    from {{ ref('oracle_probes') }}
    where condition != 'real_state'

),

pairs as (

    select
        given.* exclude (condition),
        controls.condition,
        -- An omitted answer scores 0, which must not pay where low scores do.
        given.n_answers > 0 and coalesce(withheld.n_answers, 0) = 0 as is_missing,
        given.n_answers > given.n_empty and withheld.n_empty > 0 as is_empty,
        case when not is_missing then given.score_mean - withheld.score_mean end as difference,
    from {{ ref('oracle_probes') }} as given
    join controls on given.oracle = controls.oracle
    left join {{ ref('oracle_probes') }} as withheld
        on
            given.oracle = withheld.oracle
            and given.probe_id = withheld.probe_id
            and controls.condition = withheld.condition
    where given.condition = 'real_state'

)

select
    pairs.oracle,
    pairs.condition,
    pairs.is_written,
    coalesce(pairs.scope, 'all') as scope,
    coalesce(pairs.target, 'all') as target,
    coalesce(pairs.fold, 'all') as fold,
    coalesce(pairs.band, 'all') as band,
    pairs.source_model,
    pairs.doc_id,
    count(pairs.difference) as n_probes,
    count(*) filter (where pairs.difference = 0) as n_equal,
    count(*) filter (where pairs.is_missing) as n_missing,
    count(*) filter (where pairs.is_empty) as n_empty,
    coalesce(sum(pairs.difference), 0) as difference,
from pairs
where pairs.is_missing or pairs.difference is not null
group by
    pairs.oracle,
    pairs.condition,
    pairs.is_written,
    pairs.source_model,
    pairs.doc_id,
    cube (pairs.scope, pairs.target, pairs.fold, pairs.band)
having
    (pairs.is_written or grouping(pairs.scope) = 0)
    and (grouping(pairs.fold) = 1 or pairs.fold is not null)
    and (grouping(pairs.band) = 1 or pairs.band is not null)
order by all
