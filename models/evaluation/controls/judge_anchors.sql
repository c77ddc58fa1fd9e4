-- One row per judge, anchor and scope, and for all scopes together: how often the judge is wrong about
-- what it should know.
with

bands as (
    {{ band_borders() }}
),

by_document as (

    select
        scores.judge_model,
        scores.anchor,
        anchors.should_be,
        coalesce(probes.scope, 'all') as scope,
        probes.source_model,
        probes.doc_id,
        count(*) as n_probes,
        sum(scores.score) as score,
        sum(((scores.score >= bands.middle_from) != (anchors.should_be = 'high'))::integer)
            as n_errors_at_middle,
        sum(((scores.score >= bands.easy_from) != (anchors.should_be = 'high'))::integer)
            as n_errors_at_easy,
    from {{ ref('judge_scores') }} as scores
    join {{ ref('answer_anchors') }} as anchors using (anchor)
    join {{ ref('probes') }} as probes on scores.probe_id = probes.probe_id
    cross join bands
    where scores.score is not null
    group by
        grouping sets (
            (judge_model, anchor, should_be, source_model, doc_id),
            (judge_model, anchor, should_be, source_model, doc_id, scope)
        )

),

summed as (

    select
        judge_model,
        anchor,
        should_be,
        scope,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(score) / sum(n_probes) as score_mean,
        {{ share_interval('score', 'n_probes') }} as score_mean_interval,
        sum(n_errors_at_middle) / sum(n_probes) as errors_at_middle,
        {{ share_interval('n_errors_at_middle', 'n_probes') }} as errors_at_middle_interval,
        sum(n_errors_at_easy) / sum(n_probes) as errors_at_easy,
        {{ share_interval('n_errors_at_easy', 'n_probes') }} as errors_at_easy_interval,
    from by_document
    group by judge_model, anchor, should_be, scope

)

select
    judge_model,
    anchor,
    should_be,
    scope,
    n_probes,
    n_documents,
    {{ figure('score_mean') }} as score_mean,
    {{ figure('score_mean_interval.low') }} as score_mean_low,
    {{ figure('score_mean_interval.high') }} as score_mean_high,
    {{ figure('errors_at_middle') }} as errors_at_middle,
    {{ figure('errors_at_middle_interval.low') }} as errors_at_middle_low,
    {{ figure('errors_at_middle_interval.high') }} as errors_at_middle_high,
    {{ figure('errors_at_easy') }} as errors_at_easy,
    {{ figure('errors_at_easy_interval.low') }} as errors_at_easy_low,
    {{ figure('errors_at_easy_interval.high') }} as errors_at_easy_high,
from summed
order by judge_model, anchor, scope
