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
    -- A model without features is asked without thinking and without a schema.
    coalesce(features.thinking, 'none') as thinking,
    stages.thinking_tokens,
    coalesce(features.is_structured, false) as is_structured,
from {{ ref('all_requests') }} as requests
join states using (request_id)
join {{ ref('stages') }} as stages using (stage)
left join {{ ref('model_features') }} as features on requests.model = features.model
where states.state = 'pending'
