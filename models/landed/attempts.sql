-- One row per attempt at a request, from the current state of the landing file.
{{ config(materialized='view') }}

select
    requests.request_id,
    requests.attempt,
    requests.stage,
    requests.round_number,
    requests.model,
    requests.input_hash,
    requests.prompt_hash,
    requests.batch_id,
    case
        when landed.outcome = 'not_recorded' then 'not_recorded'
        when landed.outcome != 'succeeded' then 'failed'
        when batches.state = 'released' then 'released'
        when landed.outcome is null then 'open'
        -- Landed after the last build: nobody knows yet whether it is usable.
        when responses.is_usable is null then 'open'
        when responses.is_usable then 'usable'
        when responses.problem = 'refused' then 'refused'
        else 'unusable'
    end as state,
from {{ ref('stg_requests') }} as requests
join {{ ref('stg_batches') }} as batches using (batch_id)
left join {{ ref('stg_responses') }} as landed
    on requests.request_id = landed.request_id and requests.attempt = landed.attempt
left join {{ ref('responses') }} as responses
    on requests.request_id = responses.request_id and requests.attempt = responses.attempt
