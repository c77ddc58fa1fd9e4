-- One row per answer from the complement and second score of it: the judge's score, and the score of the
-- judge again, of a second judge, or of a human rater.
with

seconds as (

    select
        if(judge_role = 'judge', 'retest', 'second judge') as comparison,
        answer_request_id,
        judge_model as other_rater,
        score as other_score,
    from {{ ref('judge_scores') }}
    where
        arm = 'complement'
        and score is not null
        and (judge_role = 'second_judge' or replicate = 2)
    union all
    select
        'human' as comparison,
        ratings.answer_request_id,
        ratings.rater as other_rater,
        ratings.score as other_score,
    from {{ ref('stg_human_ratings') }} as ratings
    join {{ ref('answers') }} as answers
        on
            ratings.answer_request_id = answers.request_id
            and ratings.answer_hash = answers.answer_hash

)

select
    seconds.comparison,
    seconds.answer_request_id,
    judgements.round_number,
    judgements.probe_id,
    probes.source_model,
    probes.doc_id,
    probes.scope,
    judgements.judge_model as rater,
    seconds.other_rater,
    judgements.score,
    seconds.other_score,
from seconds
join {{ ref('answers') }} as answers on seconds.answer_request_id = answers.request_id
join {{ ref('judgements') }} as judgements using (probe_id, answer_number)
join {{ ref('probes') }} as probes using (probe_id)
where judgements.score is not null
order by seconds.comparison, seconds.other_rater, seconds.answer_request_id
