-- One row per provider, stage and model: what a request costs there, as expected and at most.
with

prices as (

    select
        providers.provider,
        tokens.*,
        token_prices.input_usd,
        token_prices.output_usd,
    from {{ ref('request_tokens') }} as tokens
    cross join {{ ref('providers') }} as providers
    left join {{ ref('token_prices') }} as token_prices
        on providers.provider = token_prices.provider and tokens.model = token_prices.model

)

select
    *,
    {{ expected_input_tokens('expected_input_characters') }} as input_tokens,
    {{ request_usd('expected_input_characters', 'output_tokens') }} as expected_usd,
    {{ request_usd('expected_input_characters', 'max_tokens') }} as max_usd,
from prices
order by provider, stage, model
