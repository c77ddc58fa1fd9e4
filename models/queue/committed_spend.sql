-- One row per round, stage, model and provider: dollars spent, and dollars that may still come,
-- as the landing file knows it at this moment.
{{ config(materialized='view') }}

with

parts as (

    select
        round_number,
        stage,
        model,
        provider,
        usd as spent_usd,
        0 as reserved_usd,
    from {{ ref('spend') }}
    union all
    -- What lies open may be answered at any length. A request of a withdrawn round is no longer
    -- among all requests, but may be answered all the same.
    select
        attempts.round_number,
        attempts.stage,
        attempts.model,
        batches.provider,
        0 as spent_usd,
        {{ request_usd(
            'coalesce(requests.input_characters, prices.expected_input_characters)',
            'prices.max_tokens',
        ) }} as reserved_usd,
    from {{ ref('attempts') }} as attempts
    join {{ ref('stg_batches') }} as batches using (batch_id)
    left join {{ ref('all_requests') }} as requests using (request_id)
    left join {{ ref('request_prices') }} as prices
        on
            batches.provider = prices.provider
            and attempts.stage = prices.stage
            and attempts.model = prices.model
    where attempts.state = 'open'

)

select
    round_number,
    stage,
    model,
    provider,
    {{ sum_or_null('spent_usd') }} as spent_usd,
    {{ sum_or_null('reserved_usd') }} as reserved_usd,
from parts
group by round_number, stage, model, provider
