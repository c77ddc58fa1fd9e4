-- Every scored anchor and every second score of an answer is counted once, and by scope too.
with

sums as (

    select
        (select sum(n_probes) from {{ ref('judge_anchors') }} where scope = 'all') as anchors,
        (select sum(n_probes) from {{ ref('judge_anchors') }} where scope != 'all')
            as anchors_by_scope,
        (
            select count(*) from {{ ref('judge_scores') }}
            where anchor is not null and score is not null
        ) as anchors_scored,
        (select sum(n_answers) from {{ ref('judge_agreement') }} where scope = 'all') as pairs,
        (select sum(n_answers) from {{ ref('judge_agreement') }} where scope != 'all')
            as pairs_by_scope,
        (select count(*) from {{ ref('score_pairs') }}) as pairs_scored,

)

select *
from sums
where
    coalesce(anchors, 0) != anchors_scored
    or coalesce(anchors_by_scope, 0) != anchors_scored
    or coalesce(pairs, 0) != pairs_scored
    or coalesce(pairs_by_scope, 0) != pairs_scored
