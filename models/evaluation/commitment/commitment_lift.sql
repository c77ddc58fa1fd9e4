-- One row per method, condition, scope and recurrence (never, seldom, often, and all): the method's scores on
-- suffix probes, beside the agreement of the source model with itself. Scope `all` covers the scopes scored
-- by the judge.
with

by_document as (

    select
        methods.oracle,
        methods.condition,
        methods.is_written,
        coalesce(methods.scope, 'all') as scope,
        coalesce(commitment.recurrence, 'all') as recurrence,
        methods.source_model,
        methods.doc_id,
        count(methods.score_mean) as n_scored,
        coalesce(sum(methods.score_mean), 0) as score,
        count(methods.score_mean - methods.held_out_mean) as n_compared,
        coalesce(sum(methods.score_mean - methods.held_out_mean), 0) as lift,
        -- In a band, from the continuations that did not set it.
        if(
            grouping(commitment.recurrence) = 0,
            sum(commitment.other_mean) filter (where methods.score_mean is not null),
            sum(commitment.recurrence_mean) filter (where methods.score_mean is not null)
        ) as again,
        sum(commitment.agreement) filter (where methods.score_mean is not null) as agreement,
        count(commitment.agreement) filter (where methods.score_mean is not null) as n_agreeing,
    from {{ ref('oracle_probes') }} as methods
    join {{ ref('commitment') }} as commitment using (probe_id)
    where commitment.recurrence_mean is not null
    group by
        methods.oracle,
        methods.condition,
        methods.is_written,
        methods.source_model,
        methods.doc_id,
        cube (methods.scope, commitment.recurrence)
    having
        (methods.is_written or grouping(methods.scope) = 0)
        and (grouping(commitment.recurrence) = 1 or commitment.recurrence is not null)

),

summed as (

    select
        oracle,
        condition,
        scope,
        recurrence,
        bool_and(is_written) as is_written,
        sum(n_scored)::bigint as n_scored,
        count(*) filter (where n_scored > 0) as n_documents,
        sum(n_compared)::bigint as n_compared,
        sum(again) / nullif(sum(n_scored), 0) as recurrence_mean,
        case when recurrence = 'all' then sum(n_agreeing)::bigint end as n_agreeing,
        case
            when recurrence = 'all' then sum(agreement) / nullif(sum(n_agreeing), 0)
        end as agreement,
        case
            when recurrence = 'all' then {{ share_interval('coalesce(agreement, 0)', 'n_agreeing') }}
        end as agreement_interval,
        sum(score) / nullif(sum(n_scored), 0) as score_mean,
        {{ share_interval('score', 'n_scored') }} as score_mean_interval,
        sum(lift) / nullif(sum(n_compared), 0) as lift,
        {{ difference_interval('lift', 'n_compared') }} as lift_interval,
    from by_document
    group by oracle, condition, scope, recurrence

)

select
    oracle,
    condition,
    scope,
    recurrence,
    n_scored,
    n_documents,
    {{ rounded('recurrence_mean') }} as recurrence_mean,
    n_agreeing,
    {{ rounded('agreement') }} as agreement,
    case when not is_written then {{ rounded('agreement_interval.low') }} end as best_score_min,
    case when not is_written then {{ rounded('sqrt(agreement_interval.high)') }} end as best_score_max,
    {{ rounded('score_mean') }} as score_mean,
    {{ rounded('score_mean_interval.low') }} as score_mean_low,
    {{ rounded('score_mean_interval.high') }} as score_mean_high,
    n_compared,
    {{ rounded('lift') }} as lift,
    {{ rounded('lift_interval.low') }} as lift_low,
    {{ rounded('lift_interval.high') }} as lift_high,
from summed
order by oracle, condition, scope, recurrence
