-- No stale judgement is scored, and none of a stale answer.
select
    judgements.request_id,
from {{ ref('judge_scores') }} as judgements
join {{ ref('judge_requests') }} as requests using (request_id)
left join {{ ref('stg_requests') }} as landed
    on judgements.request_id = landed.request_id and judgements.attempt = landed.attempt
where judgements.score is not null and landed.input_hash is distinct from requests.input_hash

union all

select
    answers.request_id,
from {{ ref('arm_answers') }} as answers
join {{ ref('answerer_requests') }} as requests using (request_id)
left join {{ ref('stg_requests') }} as landed
    on answers.request_id = landed.request_id and answers.attempt = landed.attempt
where answers.state = 'answered' and landed.input_hash is distinct from requests.input_hash
