-- One row per scope, typicality and recurrence, and for all of each: how often the source model says the
-- same again, and what readers of the text score. Scope `all` is all scopes that a judge scores.
with

by_document as (

    select
        is_written,
        coalesce(scope, 'all') as scope,
        coalesce(typicality, 'all') as typicality,
        coalesce(recurrence, 'all') as recurrence,
        source_model,
        doc_id,
        count(recurrence) as n_probes,
        count(*) - count(recurrence) as n_unscored,
        coalesce(sum(again_mean), 0) as again,
        coalesce(sum(again_share), 0) as again_share,
        count(blind_mean) filter (where is_scored) as n_blind,
        coalesce(sum(blind_mean) filter (where is_scored), 0) as blind,
    from {{ ref('commitment') }}
    group by
        grouping sets (
            (is_written, source_model, doc_id),
            (is_written, source_model, doc_id, scope),
            (is_written, source_model, doc_id, typicality),
            (is_written, source_model, doc_id, scope, typicality),
            (is_written, source_model, doc_id, recurrence),
            (is_written, source_model, doc_id, scope, recurrence),
            (is_written, source_model, doc_id, typicality, recurrence),
            (is_written, source_model, doc_id, scope, typicality, recurrence)
        )
    having
        (is_written or grouping(scope) = 0)
        and (grouping(recurrence) = 1 or recurrence is not null)

),

summed as (

    select
        scope,
        typicality,
        recurrence,
        sum(n_probes)::bigint as n_probes,
        sum(n_unscored)::bigint as n_unscored,
        count(*) filter (where n_probes > 0) as n_documents,
        sum(again) / nullif(sum(n_probes), 0) as again_mean,
        {{ share_interval('again', 'n_probes') }} as again_mean_interval,
        sum(again_share) / nullif(sum(n_probes), 0) as again_share,
        {{ share_interval('again_share', 'n_probes') }} as again_share_interval,
        sum(n_blind)::bigint as n_blind,
        sum(blind) / nullif(sum(n_blind), 0) as blind_mean,
        {{ mean_interval('blind', 'n_blind') }} as blind_mean_interval,
    from by_document
    group by scope, typicality, recurrence

)

select
    scope,
    typicality,
    recurrence,
    n_probes,
    n_unscored,
    n_documents,
    {{ figure('again_mean') }} as again_mean,
    {{ figure('again_mean_interval.low') }} as again_mean_low,
    {{ figure('again_mean_interval.high') }} as again_mean_high,
    {{ figure('again_share') }} as again_share,
    {{ figure('again_share_interval.low') }} as again_share_low,
    {{ figure('again_share_interval.high') }} as again_share_high,
    n_blind,
    {{ figure('blind_mean') }} as blind_mean,
    {{ figure('blind_mean_interval.low') }} as blind_mean_low,
    {{ figure('blind_mean_interval.high') }} as blind_mean_high,
from summed
order by scope, typicality, recurrence
