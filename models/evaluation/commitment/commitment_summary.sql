-- One row per scope, typicality and recurrence, and for all of each: how often the source model says the
-- same again, and text-only scores. Scope `all` covers the scopes scored by the judge.
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
        coalesce(sum(recurrence_mean), 0) as again,
        coalesce(sum(recurrence_share), 0) as recurrence_share,
        count(text_only_mean) filter (where is_scored) as n_text_only_scored,
        coalesce(sum(text_only_mean) filter (where is_scored), 0) as blind,
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
        sum(again) / nullif(sum(n_probes), 0) as recurrence_mean,
        {{ share_interval('again', 'n_probes') }} as again_mean_interval,
        sum(recurrence_share) / nullif(sum(n_probes), 0) as recurrence_share,
        {{ share_interval('recurrence_share', 'n_probes') }} as again_share_interval,
        sum(n_text_only_scored)::bigint as n_text_only_scored,
        sum(blind) / nullif(sum(n_text_only_scored), 0) as text_only_mean,
        {{ mean_interval('blind', 'n_text_only_scored') }} as blind_mean_interval,
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
    {{ rounded('recurrence_mean') }} as recurrence_mean,
    {{ rounded('again_mean_interval.low') }} as recurrence_mean_low,
    {{ rounded('again_mean_interval.high') }} as recurrence_mean_high,
    {{ rounded('recurrence_share') }} as recurrence_share,
    {{ rounded('again_share_interval.low') }} as recurrence_share_low,
    {{ rounded('again_share_interval.high') }} as recurrence_share_high,
    n_text_only_scored,
    {{ rounded('text_only_mean') }} as text_only_mean,
    {{ rounded('blind_mean_interval.low') }} as text_only_mean_low,
    {{ rounded('blind_mean_interval.high') }} as text_only_mean_high,
from summed
order by scope, typicality, recurrence
