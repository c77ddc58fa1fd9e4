-- One row per round, stage, model and provider: cost of the planned requests, as expected and at most.
with

pending as (

    select
        round_number,
        stage,
        model,
        provider,
        sum(expected_usd) as usd,
        sum(max_usd) as max_usd,
    from {{ ref('pending_prices') }}
    group by round_number, stage, model, provider

)

select
    planned.round_number,
    planned.stage,
    planned.stage_order,
    planned.model,
    prices.provider,
    prices.token_basis,
    -- Null if the price is unknown, for pending and for downstream requests.
    coalesce(pending.usd, 0) + planned.n_downstream * prices.expected_usd as usd,
    coalesce(pending.max_usd, 0) + planned.n_downstream * prices.max_usd as max_usd,
from {{ ref('planned_requests') }} as planned
join {{ ref('request_prices') }} as prices
    on planned.stage = prices.stage and planned.model = prices.model
left join pending
    on
        planned.round_number = pending.round_number
        and planned.stage = pending.stage
        and planned.model = pending.model
        and prices.provider = pending.provider
order by planned.round_number, planned.stage_order, planned.model, prices.provider
