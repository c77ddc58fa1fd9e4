-- One row per request that should be asked now.
{{ config(materialized='view') }}

with

states as (
    {{ request_states(ref('all_requests')) }}
)

select
    requests.request_id,
    states.next_attempt as attempt,
    requests.stage,
    requests.round_number,
    requests.model,
    requests.input_hash,
    requests.input_characters,
    stages.stage_order,
    stages.max_tokens,
    stages.thinking_tokens,
from {{ ref('all_requests') }} as requests
join states using (request_id)
join {{ ref('stages') }} as stages using (stage)
where states.state = 'pending'
