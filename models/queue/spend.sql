-- One row per round, stage and model: what was asked, what came back, and what it cost.
select
    requests.round_number,
    requests.stage,
    stages.stage_order,
    requests.model,
    count(*) as n_attempts,
    count(*) filter (where responses.outcome is null) as n_open,
    count(*) filter (where responses.outcome = 'succeeded') as n_succeeded,
    count(*) filter (where responses.outcome != 'succeeded') as n_failed,
    count(*) filter (where responses.is_usable is false and responses.outcome = 'succeeded')
        as n_unusable,
    coalesce(sum(responses.input_tokens), 0)::bigint as input_tokens,
    coalesce(sum(responses.output_tokens), 0)::bigint as output_tokens,
    -- Null, not nothing, where no price is known.
    sum(
        coalesce(responses.input_tokens, 0) * prices.input_usd
        + coalesce(responses.output_tokens, 0) * prices.output_usd
    ) as usd,
from {{ ref('stg_requests') }} as requests
join {{ ref('stages') }} as stages on requests.stage = stages.stage
left join {{ ref('responses') }} as responses using (request_id, attempt)
left join {{ ref('request_prices') }} as prices
    on requests.stage = prices.stage and requests.model = prices.model
group by requests.round_number, requests.stage, stages.stage_order, requests.model
order by requests.round_number, stages.stage_order, requests.model
