-- One row per provider and model: what one token of each kind costs there.
-- Whether the provider serves the model is the provider's own affair.
with

discounted as (

    select
        providers.provider,
        prices.*,
        if(providers.is_discounted, prices.batch_discount, 1) as share,
    from {{ ref('providers') }} as providers
    cross join {{ ref('model_prices') }} as prices

)

select
    provider,
    model,
    input_usd_per_million * share / 1e6 as input_usd,
    output_usd_per_million * share / 1e6 as output_usd,
    cache_write_five_minutes_usd_per_million * share / 1e6 as cache_write_five_minutes_usd,
    cache_write_one_hour_usd_per_million * share / 1e6 as cache_write_one_hour_usd,
    cache_read_usd_per_million * share / 1e6 as cache_read_usd,
    priced_on,
    source,
from discounted
order by provider, model
