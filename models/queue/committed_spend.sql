-- One row per round, stage, model and provider: dollars spent, and dollars reserved for what has no known
-- cost: open requests, answers without usage, and requests that are missing in the results.
-- A view, so it reads the landing file at the time of the query.
{{ config(materialized='view') }}

with

parts as (

    select
        spend.round_number,
        spend.stage,
        spend.model,
        spend.provider,
        {{ usd_of_tokens('spend') }} as spent_usd,
        0 as reserved_usd,
    from {{ ref('spend') }} as spend
    left join {{ ref('token_prices') }} as prices using (provider, model)
    union all
    -- Reserved at the maximum answer length. A request of a withdrawn round is not in all_requests, but can
    -- still be answered and billed.
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
    left join {{ ref('responses') }} as responses
        on attempts.request_id = responses.request_id and attempts.attempt = responses.attempt
    where
        attempts.state = 'open'
        or (responses.outcome = 'succeeded' and responses.input_tokens is null)
        or responses.outcome = 'missing'

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
