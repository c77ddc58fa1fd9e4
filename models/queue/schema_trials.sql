-- One row per stage, model and settings that were asked to think and to answer by a schema: whether that was
-- refused.
{{ config(materialized='view') }}

with

asked as (

    select
        requests.stage,
        requests.model,
        requests.settings ->> '$.thinking' as thinking,
        (requests.settings ->> '$.thinking_tokens')::bigint as thinking_tokens,
        (requests.settings ->> '$.max_tokens')::bigint as max_tokens,
        requests.batch_id,
        batches.state,
        landed.outcome,
        {{ schema_refusal('landed.body') }} as refusal,
    from {{ ref('stg_requests') }} as requests
    join {{ ref('stg_batches') }} as batches using (batch_id)
    left join {{ ref('stg_responses') }} as landed
        on requests.request_id = landed.request_id and requests.attempt = landed.attempt
    where {{ thinks_by_schema('requests.settings') }}

)

select
    stage,
    model,
    thinking,
    thinking_tokens,
    max_tokens,
    count(*) filter (where outcome is null and state != 'released') as n_open,
    count(*) filter (where outcome = 'succeeded') as n_answered,
    count(refusal) as n_refused,
    max(refusal) as refusal,
    arg_max(batch_id, refusal) as batch_id,
    -- One answer shows that the refusals had another cause.
    n_refused > 0 and n_answered = 0 as is_refused,
from asked
group by stage, model, thinking, thinking_tokens, max_tokens
