-- One row per judge, anchor and scope, and for all scopes together: the judge's error rates on answers
-- with a known score.
with

bands as (
    {{ band_thresholds() }}
),

by_document as (

    select
        scores.judge_model,
        scores.anchor,
        anchors.expected_score,
        coalesce(probes.scope, 'all') as scope,
        probes.source_model,
        probes.doc_id,
        count(*) as n_probes,
        sum(scores.score) as score,
        sum(((scores.score >= bands.middle_threshold) != (anchors.expected_score = 'high'))::integer)
            as n_errors_at_middle,
        sum(((scores.score >= bands.easy_threshold) != (anchors.expected_score = 'high'))::integer)
            as n_errors_at_easy,
    from {{ ref('judge_scores') }} as scores
    join {{ ref('answer_anchors') }} as anchors using (anchor)
    join {{ ref('probes') }} as probes on scores.probe_id = probes.probe_id
    cross join bands
    where scores.score is not null
    group by
        grouping sets (
            (judge_model, anchor, expected_score, source_model, doc_id),
            (judge_model, anchor, expected_score, source_model, doc_id, scope)
        )

),

summed as (

    select
        judge_model,
        anchor,
        expected_score,
        scope,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(score) / sum(n_probes) as score_mean,
        {{ share_interval('score', 'n_probes') }} as score_mean_interval,
        sum(n_errors_at_middle) / sum(n_probes) as error_rate_middle,
        {{ share_interval('n_errors_at_middle', 'n_probes') }} as errors_at_middle_interval,
        sum(n_errors_at_easy) / sum(n_probes) as error_rate_easy,
        {{ share_interval('n_errors_at_easy', 'n_probes') }} as errors_at_easy_interval,
    from by_document
    group by judge_model, anchor, expected_score, scope

)

select
    judge_model,
    anchor,
    expected_score,
    scope,
    n_probes,
    n_documents,
    {{ rounded('score_mean') }} as score_mean,
    {{ rounded('score_mean_interval.low') }} as score_mean_low,
    {{ rounded('score_mean_interval.high') }} as score_mean_high,
    {{ rounded('error_rate_middle') }} as error_rate_middle,
    {{ rounded('errors_at_middle_interval.low') }} as error_rate_middle_low,
    {{ rounded('errors_at_middle_interval.high') }} as error_rate_middle_high,
    {{ rounded('error_rate_easy') }} as error_rate_easy,
    {{ rounded('errors_at_easy_interval.low') }} as error_rate_easy_low,
    {{ rounded('errors_at_easy_interval.high') }} as error_rate_easy_high,
from summed
order by judge_model, anchor, scope
