-- One row per pending request and provider: what asking it there costs, as expected and at most.
{{ config(materialized='view') }}

select
    pending.request_id,
    pending.round_number,
    pending.stage,
    pending.model,
    prices.provider,
    {{ request_usd('pending.input_characters', 'prices.output_tokens') }} as expected_usd,
    {{ request_usd('pending.input_characters', 'prices.max_tokens') }} as max_usd,
from {{ ref('pending_requests') }} as pending
join {{ ref('request_prices') }} as prices
    on pending.stage = prices.stage and pending.model = prices.model
