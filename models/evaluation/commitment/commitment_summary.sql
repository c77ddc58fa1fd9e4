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
        count(recurrence_mean) as n_probes,
        count(*) - count(recurrence_mean) as n_unscored,
        -- In a band, from the continuations that did not set it.
        coalesce(if(grouping(recurrence) = 0, sum(other_mean), sum(recurrence_mean)), 0) as again,
        coalesce(if(grouping(recurrence) = 0, sum(other_share), sum(recurrence_share)), 0)
            as recurrence_share,
        -- Agreement is that of two draws, whatever they say: bands and typicality would choose.
        if(
            grouping(recurrence) = 1 and grouping(typicality) = 1,
            count(agreement),
            null
        ) as n_agreeing,
        if(n_agreeing is not null, coalesce(sum(agreement), 0), null) as agreement,
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
        and (grouping(typicality) = 1 or typicality is not null)

),

summed as (

    select
        scope,
        typicality,
        recurrence,
        bool_and(is_written) as is_written,
        sum(n_probes)::bigint as n_probes,
        sum(n_unscored)::bigint as n_unscored,
        count(*) filter (where n_probes > 0) as n_documents,
        sum(again) / nullif(sum(n_probes), 0) as recurrence_mean,
        {{ share_interval('again', 'n_probes') }} as recurrence_mean_interval,
        sum(recurrence_share) / nullif(sum(n_probes), 0) as recurrence_share,
        {{ share_interval('recurrence_share', 'n_probes') }} as recurrence_share_interval,
        sum(n_agreeing)::bigint as n_agreeing,
        sum(agreement) / nullif(sum(n_agreeing), 0) as agreement,
        {{ share_interval('agreement', 'n_agreeing') }} as agreement_interval,
        sum(n_text_only_scored)::bigint as n_text_only_scored,
        sum(blind) / nullif(sum(n_text_only_scored), 0) as text_only_mean,
        {{ share_interval('blind', 'n_text_only_scored') }} as text_only_mean_interval,
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
    {{ rounded('recurrence_mean_interval.low') }} as recurrence_mean_low,
    {{ rounded('recurrence_mean_interval.high') }} as recurrence_mean_high,
    {{ rounded('recurrence_share') }} as recurrence_share,
    {{ rounded('recurrence_share_interval.low') }} as recurrence_share_low,
    {{ rounded('recurrence_share_interval.high') }} as recurrence_share_high,
    n_agreeing,
    {{ rounded('agreement') }} as agreement,
    {{ rounded('agreement_interval.low') }} as agreement_low,
    {{ rounded('agreement_interval.high') }} as agreement_high,
    -- Answers are equal or not: naming the most frequent one scores at least A and at most its root.
    case when not is_written then {{ rounded('agreement_interval.low') }} end as best_score_min,
    case when not is_written then {{ rounded('sqrt(agreement_interval.high)') }} end as best_score_max,
    n_text_only_scored,
    {{ rounded('text_only_mean') }} as text_only_mean,
    {{ rounded('text_only_mean_interval.low') }} as text_only_mean_low,
    {{ rounded('text_only_mean_interval.high') }} as text_only_mean_high,
from summed
order by scope, typicality, recurrence
