-- One row per method, condition and recurrence (never, seldom, often, and any): the method's scores, over
-- suffix probes of all scopes scored by the judge.
with

by_document as (

    select
        methods.oracle,
        methods.condition,
        coalesce(commitment.recurrence, 'all') as recurrence,
        methods.source_model,
        methods.doc_id,
        count(methods.score_mean) as n_scored,
        coalesce(sum(methods.score_mean), 0) as score,
        count(methods.score_mean - methods.held_out_mean) as n_compared,
        coalesce(sum(methods.score_mean - methods.held_out_mean), 0) as lift,
        sum(commitment.recurrence_mean) filter (where methods.score_mean is not null) as again,
    from {{ ref('oracle_probes') }} as methods
    join {{ ref('commitment') }} as commitment using (probe_id)
    where methods.is_written and commitment.recurrence is not null
    group by
        grouping sets (
            (methods.oracle, methods.condition, methods.source_model, methods.doc_id),
            (
                methods.oracle,
                methods.condition,
                methods.source_model,
                methods.doc_id,
                commitment.recurrence
            )
        )

),

summed as (

    select
        oracle,
        condition,
        recurrence,
        sum(n_scored)::bigint as n_scored,
        sum(n_compared)::bigint as n_compared,
        sum(again) / nullif(sum(n_scored), 0) as recurrence_mean,
        sum(score) / nullif(sum(n_scored), 0) as score_mean,
        {{ share_interval('score', 'n_scored') }} as score_mean_interval,
        sum(lift) / nullif(sum(n_compared), 0) as lift,
        {{ mean_interval('lift', 'n_compared') }} as lift_interval,
    from by_document
    group by oracle, condition, recurrence

)

select
    oracle,
    condition,
    recurrence,
    n_scored,
    {{ rounded('recurrence_mean') }} as recurrence_mean,
    {{ rounded('score_mean') }} as score_mean,
    {{ rounded('score_mean_interval.low') }} as score_mean_low,
    {{ rounded('score_mean_interval.high') }} as score_mean_high,
    n_compared,
    {{ rounded('lift') }} as lift,
    {{ rounded('lift_interval.low') }} as lift_low,
    {{ rounded('lift_interval.high') }} as lift_high,
from summed
order by oracle, condition, recurrence
