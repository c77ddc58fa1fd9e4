-- One row per provider and model: price of one token of each kind.
-- A row does not mean that the provider serves the model.
with

discounted as (

    select
        providers.provider,
        prices.*,
        case providers.price_group
            when 'list' then 1
            when 'batch' then prices.batch_discount
            when 'free' then 0
        end as share,
    from {{ ref('providers') }} as providers
    cross join {{ ref('model_prices') }} as prices

)

select
    provider,
    model,
    {%- for kind in token_kinds() %}
    {{ kind }}_usd_per_million * share / 1e6 as {{ kind }}_usd,
    {%- endfor %}
    priced_on,
    source,
from discounted
order by provider, model
