-- One row per method, control condition (no state or another document's), group of probes and band, and for
-- all bands: the effect of the real state on the same probes. Groups: scope, target, fold, and all of each.
with

summed as (

    select
        oracle,
        condition,
        scope,
        target,
        fold,
        band,
        sum(n_probes)::bigint as n_probes,
        sum(n_equal)::bigint as n_equal,
        count(*) as n_documents,
        sum(difference) / sum(n_probes) as difference,
        {{ mean_interval('difference', 'n_probes') }} as difference_interval,
    from {{ ref('oracle_document_effects') }}
    group by oracle, condition, scope, target, fold, band

)

select
    oracle,
    condition,
    scope,
    target,
    fold,
    band,
    n_probes,
    n_equal,
    n_documents,
    {{ rounded('difference') }} as difference,
    {{ rounded('difference_interval.low') }} as difference_low,
    {{ rounded('difference_interval.high') }} as difference_high,
from summed
order by oracle, condition, scope, target, fold, band
