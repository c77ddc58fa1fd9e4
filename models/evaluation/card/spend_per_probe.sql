-- One row per round, stage and model, per round (stage and model `all`), and for all rounds (null round
-- number): spend in total and per published probe.
with

spent as (

    select
        round_number,
        coalesce(stage, 'all') as stage,
        coalesce(stage_order, 4) as stage_order,
        if(stage is null, 'all', model) as model,
        {{ sum_or_null('usd') }} as usd,
    from {{ ref('spend') }}
    group by grouping sets ((round_number, stage, stage_order, model), (round_number), ())

),

published as (

    select
        round_number,
        sum(n_probes)::bigint as n_probes,
    from {{ ref('published_rounds') }}
    group by grouping sets ((round_number), ())

)

select
    spent.round_number,
    spent.stage,
    spent.stage_order,
    spent.model,
    coalesce(published.n_probes, 0) as n_probes,
    spent.usd,
    spent.usd / nullif(published.n_probes, 0) as usd_per_probe,
from spent
left join published on spent.round_number is not distinct from published.round_number
order by spent.round_number, spent.stage_order, spent.model
