-- One row per comparison of the judge, pair of raters and scope, and for all scopes together: how often
-- two scores of one answer are on different sides of 0.4 and 0.8, and Krippendorff's alpha.
with

bands as (
    {{ band_thresholds() }}
),

by_document as (

    select
        pairs.comparison,
        pairs.rater,
        pairs.other_rater,
        coalesce(pairs.scope, 'all') as scope,
        pairs.source_model,
        pairs.doc_id,
        count(*) as n_pairs,
        count(distinct pairs.probe_id) as n_probes,
        sum(pairs.other_score - pairs.score) as difference,
        sum(((pairs.score >= middle_threshold) != (pairs.other_score >= middle_threshold))::integer)
            as n_flips_at_middle,
        sum(((pairs.score >= easy_threshold) != (pairs.other_score >= easy_threshold))::integer)
            as n_flips_at_easy,
        sum((pairs.other_score - pairs.score) ** 2) as squared_difference,
        sum(pairs.score + pairs.other_score) as sum_of_scores,
        sum(pairs.score ** 2 + pairs.other_score ** 2) as sum_of_squares,
    from {{ ref('score_pairs') }} as pairs
    cross join bands
    group by
        grouping sets (
            (comparison, rater, other_rater, source_model, doc_id),
            (comparison, rater, other_rater, source_model, doc_id, scope)
        )

),

summed as (

    select
        comparison,
        rater,
        other_rater,
        scope,
        sum(n_pairs)::bigint as n_answers,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(difference) / sum(n_pairs) as difference,
        {{ difference_interval('difference', 'n_pairs') }} as difference_interval,
        sum(n_flips_at_middle) / sum(n_pairs) as flip_rate_middle,
        {{ share_interval('n_flips_at_middle', 'n_pairs') }} as flips_at_middle_interval,
        sum(n_flips_at_easy) / sum(n_pairs) as flip_rate_easy,
        {{ share_interval('n_flips_at_easy', 'n_pairs') }} as flips_at_easy_interval,
        {{ alpha_interval() }} as agreement,
    from by_document
    group by comparison, rater, other_rater, scope

)

select
    comparison,
    rater,
    other_rater,
    scope,
    n_answers,
    n_probes,
    n_documents,
    {{ rounded('difference') }} as difference,
    {{ rounded('difference_interval.low') }} as difference_low,
    {{ rounded('difference_interval.high') }} as difference_high,
    {{ rounded('flip_rate_middle') }} as flip_rate_middle,
    {{ rounded('flips_at_middle_interval.low') }} as flip_rate_middle_low,
    {{ rounded('flips_at_middle_interval.high') }} as flip_rate_middle_high,
    {{ rounded('flip_rate_easy') }} as flip_rate_easy,
    {{ rounded('flips_at_easy_interval.low') }} as flip_rate_easy_low,
    {{ rounded('flips_at_easy_interval.high') }} as flip_rate_easy_high,
    {{ rounded('agreement.estimate') }} as alpha,
    {{ rounded_end('agreement.low') }} as alpha_low,
    {{ rounded_end('agreement.high') }} as alpha_high,
from summed
order by comparison, rater, other_rater, scope
