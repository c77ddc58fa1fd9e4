-- One row per judge request: the score in [0, 1], or the request's state. A missing score is never 0.
with

states as (
    {{ request_states(ref('judge_requests')) }}
)

select
    requests.request_id,
    requests.round_number,
    requests.probe_id,
    requests.arm,
    requests.anchor,
    requests.oracle_answer_hash,
    requests.answer_number,
    requests.answer_request_id,
    requests.judge_role,
    requests.replicate,
    requests.model as asked_model,
    states.attempt,
    states.state,
    responses.model as judge_model,
    {{ stated_score('responses.text') }} as score,
from {{ ref('judge_requests') }} as requests
join states using (request_id)
left join {{ ref('responses') }} as responses
    on states.request_id = responses.request_id and states.attempt = responses.attempt
order by
    requests.round_number,
    requests.probe_id,
    requests.arm,
    requests.anchor,
    requests.oracle_answer_hash,
    requests.answer_number,
    requests.judge_role,
    requests.replicate
