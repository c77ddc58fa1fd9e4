-- One row per answerer request of any arm: the attempt that answered it, or its state.
-- The text of the answer is in `responses`.
with

states as (
    {{ request_states(ref('answerer_requests')) }}
)

select
    requests.request_id,
    requests.round_number,
    requests.probe_id,
    requests.arm,
    requests.answer_number,
    requests.complement_was_cut,
    states.attempt,
    states.state,
    responses.stop_reason = 'max_tokens' as answer_was_truncated,
    responses.model as answerer_model,
    md5(responses.text) as answer_hash,
    length(responses.text) as answer_length,
from {{ ref('answerer_requests') }} as requests
join states using (request_id)
left join {{ ref('responses') }} as responses
    on states.request_id = responses.request_id and states.attempt = responses.attempt
order by requests.round_number, requests.probe_id, requests.arm, requests.answer_number
