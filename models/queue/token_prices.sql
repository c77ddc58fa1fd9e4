-- One row per provider and model: price of one token of each kind.
-- A row does not mean that the provider serves the model.
with

priced as (

    select
        providers.provider,
        prices.*,
        if(providers.price_group = 'batch', prices.batch_discount, 1) as share,
    from {{ ref('providers') }} as providers
    cross join {{ ref('model_prices') }} as prices
    where providers.price_group in ('list', 'batch')

),

models as (

    select model from {{ ref('model_prices') }}
    union
    select model from {{ ref('request_tokens') }}

)

select
    provider,
    model,
    {%- for kind in token_kinds() %}
    {{ kind }}_usd_per_million * share / 1e6 as {{ kind }}_usd,
    {%- endfor %}
    priced_on,
    source,
from priced
union all
-- A free provider is free for every model.
select
    providers.provider,
    models.model,
    {%- for kind in token_kinds() %}
    0 as {{ kind }}_usd,
    {%- endfor %}
    prices.priced_on,
    coalesce(prices.source, providers.description) as source,
from {{ ref('providers') }} as providers
cross join models
left join {{ ref('model_prices') }} as prices on models.model = prices.model
where providers.price_group = 'free'
order by provider, model
