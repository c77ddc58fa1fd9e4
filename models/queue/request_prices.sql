-- One row per model and stage: tokens that a request takes, and what a token costs.
-- Measured where responses have landed, else expected (seeds/stages.csv).
with

measured as (

    select
        stage,
        asked_model as model,
        avg(input_tokens) as input_tokens,
        avg(output_tokens) as output_tokens,
    from {{ ref('responses') }}
    where outcome = 'succeeded'
    group by all

),

asked as (

    select
        unnest(['generator', 'answerer', 'judge']) as stage,
        unnest([generator_model, answerer_model, judge_model]) as model,
    from {{ ref('round_settings') }}

),

prices as (

    select distinct
        asked.stage,
        asked.model,
        measured.input_tokens as measured_input_tokens,
        coalesce(measured.output_tokens, stages.expected_output_tokens) as output_tokens,
        stages.prompt_characters,
        stages.expected_input_characters,
        list_prices.input_usd_per_million * list_prices.batch_discount / 1e6 as input_usd,
        list_prices.output_usd_per_million * list_prices.batch_discount / 1e6 as output_usd,
    from asked
    join {{ ref('stages') }} as stages using (stage)
    left join {{ ref('model_prices') }} as list_prices using (model)
    left join measured using (stage, model)

)

select
    *,
    {{ expected_usd('expected_input_characters') }} as usd_each,
from prices
order by stage, model
