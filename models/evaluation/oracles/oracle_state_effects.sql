-- One row per method, control condition (no state or another document's) and band, and for all bands: the
-- effect of the real state on the same probes, over all scopes scored by the judge.
with

paired as (

    select
        withheld.oracle,
        withheld.condition,
        withheld.source_model,
        withheld.doc_id,
        withheld.band,
        given.score_mean - withheld.score_mean as difference,
    from {{ ref('oracle_probes') }} as withheld
    join {{ ref('oracle_probes') }} as given
        on
            withheld.oracle = given.oracle
            and withheld.probe_id = given.probe_id
            and given.condition = 'real_state'
    where
        withheld.condition != 'real_state'
        and withheld.is_written
        and withheld.score_mean is not null
        and given.score_mean is not null

),

by_document as (

    select
        oracle,
        condition,
        coalesce(band, 'all') as band,
        source_model,
        doc_id,
        count(*) as n_probes,
        sum(difference) as difference,
    from paired
    group by
        grouping sets (
            (oracle, condition, source_model, doc_id),
            (oracle, condition, source_model, doc_id, band)
        )
    having grouping(band) = 1 or band is not null

),

summed as (

    select
        oracle,
        condition,
        band,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(difference) / sum(n_probes) as difference,
        {{ mean_interval('difference', 'n_probes') }} as difference_interval,
    from by_document
    group by oracle, condition, band

)

select
    oracle,
    condition,
    band,
    n_probes,
    n_documents,
    {{ rounded('difference') }} as difference,
    {{ rounded('difference_interval.low') }} as difference_low,
    {{ rounded('difference_interval.high') }} as difference_high,
from summed
order by oracle, condition, band
