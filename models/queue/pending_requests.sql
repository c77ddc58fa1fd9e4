-- One row per request that should be asked now, or once the trial of its model has succeeded.
{{ config(materialized='view') }}

with

states as (
    {{ request_states(ref('all_requests')) }}
),

placed as (

    select
        requests.*,
        states.state,
        states.next_attempt,
        count(*) filter (where states.state = 'open') over models as n_open,
        count(*) filter (where states.state in ('open', 'pending')) over models as n_unanswered,
        row_number() over (
            partition by requests.stage, requests.model, states.state
            order by requests.round_number, requests.request_id
        ) as place,
    from {{ ref('all_requests') }} as requests
    join states using (request_id)
    window models as (partition by requests.stage, requests.model)

)

select
    requests.request_id,
    requests.next_attempt as attempt,
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
    -- A model without a usable answer is tried on a few requests before it is asked many.
    coalesce(trials.n_usable, 0) = 0
    and requests.n_unanswered > {{ var('max_untried_requests') }}
    and (requests.n_open > 0 or requests.place > {{ var('trial_requests') }}) as awaits_trial,
from placed as requests
join {{ ref('stages') }} as stages using (stage)
left join {{ ref('model_features') }} as features on requests.model = features.model
left join {{ ref('model_trials') }} as trials
    on requests.stage = trials.stage and requests.model = trials.model
where requests.state = 'pending'
