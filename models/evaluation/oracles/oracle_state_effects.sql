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
        {{ difference_interval('difference', 'n_probes') }} as difference_interval,
    from {{ ref('oracle_document_effects') }}
    where n_probes > 0
    group by oracle, condition, scope, target, fold, band

),

gaps as (

    select
        oracle,
        condition,
        scope,
        target,
        fold,
        band,
        sum(n_missing)::bigint as n_missing,
        sum(n_empty)::bigint as n_empty,
    from {{ ref('oracle_document_effects') }}
    group by oracle, condition, scope, target, fold, band

)

select
    gaps.oracle,
    gaps.condition,
    gaps.scope,
    gaps.target,
    gaps.fold,
    gaps.band,
    coalesce(summed.n_probes, 0) as n_probes,
    coalesce(summed.n_equal, 0) as n_equal,
    gaps.n_missing,
    gaps.n_empty,
    gaps.n_missing + gaps.n_empty
    <= {{ var('max_unanswered_share') }} * (coalesce(summed.n_probes, 0) + gaps.n_missing) as is_complete,
    coalesce(summed.n_documents, 0) as n_documents,
    {{ rounded('summed.difference') }} as difference,
    {{ rounded('summed.difference_interval.low') }} as difference_low,
    {{ rounded('summed.difference_interval.high') }} as difference_high,
from gaps
left join summed using (oracle, condition, scope, target, fold, band)
order by gaps.oracle, gaps.condition, gaps.scope, gaps.target, gaps.fold, gaps.band
