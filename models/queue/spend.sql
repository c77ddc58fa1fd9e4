-- One row per round, stage, model and provider: what was asked, what came back, what it cost.
with

asked as (

    select
        requests.round_number,
        requests.stage,
        requests.model,
        batches.provider,
        count(*) as n_attempts,
        count(*) filter (where responses.outcome is null) as n_open,
        count(*) filter (where responses.outcome = 'succeeded') as n_succeeded,
        count(*) filter (where responses.outcome != 'succeeded') as n_failed,
        count(*) filter (where responses.is_usable is false and responses.outcome = 'succeeded')
            as n_unusable,
        count(*) filter (where responses.outcome = 'succeeded' and responses.input_tokens is null)
            as n_without_usage,
        count(*) filter (where recorded.is_estimated) as n_estimated,
        {{ sums_of_tokens('responses') }}
        sum(responses.thinking_tokens)::bigint as thinking_tokens,
    from {{ ref('stg_requests') }} as requests
    join {{ ref('stg_batches') }} as batches using (batch_id)
    left join {{ ref('responses') }} as responses
        on requests.request_id = responses.request_id and requests.attempt = responses.attempt
    left join {{ ref('recorded_responses') }} as recorded
        on requests.request_id = recorded.request_id and requests.attempt = recorded.attempt
    group by requests.round_number, requests.stage, requests.model, batches.provider

)

select
    asked.round_number,
    asked.stage,
    stages.stage_order,
    asked.* exclude (round_number, stage),
    -- An answer without usage has an unknown cost, unless all tokens are free.
    case
        when n_without_usage = 0 or prices.input_usd + prices.output_usd = 0
            then {{ usd_of_tokens('asked') }}
    end as usd,
    prices.input_usd * 1e6 as input_usd_per_million,
    prices.output_usd * 1e6 as output_usd_per_million,
    prices.priced_on,
    prices.source as price_source,
from asked
join {{ ref('stages') }} as stages using (stage)
left join {{ ref('token_prices') }} as prices using (provider, model)
order by asked.round_number, stages.stage_order, asked.model, asked.provider
