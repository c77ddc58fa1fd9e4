-- One row per request that should be asked now, or once the trial of its model has succeeded. Nothing waits
-- for those that a recording lacks, but any other provider can be asked.
{{ config(materialized='view') }}

with

states as (
    {{ request_states(ref('all_requests')) }}
),

stood as (

    select
        requests.*,
        states.state,
        states.next_attempt,
    from {{ ref('all_requests') }} as requests
    join states using (request_id)

),

-- No window: with that of `place` in one select, it takes quadratic time.
unanswered as (

    select
        stage,
        model,
        count(*) as n_requests,
        count(*) filter (where state = 'open') as n_open,
    from stood
    where state in ('open', 'pending', 'not_recorded')
    group by stage, model

),

placed as (

    select
        *,
        row_number() over (partition by stage, model order by round_number, request_id) as place,
    from stood
    where state in ('pending', 'not_recorded')

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
    coalesce(features.is_structured, false) and not coalesce(schemas.is_refused, false) as is_structured,
    -- A model without a usable answer is tried on a few requests before it is asked many.
    coalesce(trials.n_usable, 0) = 0
    and unanswered.n_requests > {{ var('max_untried_requests') }}
    and (unanswered.n_open > 0 or requests.place > {{ var('trial_requests') }})
    -- And whether it can think and answer by a schema is tried on one, unless only a few would be refused.
    or coalesce(features.is_structured and features.thinking != 'none' and stages.thinking_tokens > 0, false)
    and coalesce(schemas.n_answered = 0 and not schemas.is_refused, true)
    and unanswered.n_requests > {{ var('trial_requests') }} / 2
    and (unanswered.n_open > 0 or requests.place > 1) as awaits_trial,
from placed as requests
join unanswered using (stage, model)
join {{ ref('stages') }} as stages using (stage)
left join {{ ref('model_features') }} as features on requests.model = features.model
left join {{ ref('schema_trials') }} as schemas
    on
        requests.stage = schemas.stage
        and requests.model = schemas.model
        and features.thinking = schemas.thinking
        and stages.thinking_tokens = schemas.thinking_tokens
        and stages.max_tokens = schemas.max_tokens
left join {{ ref('model_trials') }} as trials
    on requests.stage = trials.stage and requests.model = trials.model
