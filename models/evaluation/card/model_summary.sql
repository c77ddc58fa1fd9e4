-- One row per stage, model and provider, over all rounds, and for all of them (stage `all`): answers, tokens,
-- dollars in total and per published probe.
with

spent as (

    select
        coalesce(stage, 'all') as stage,
        coalesce(stage_order, 4) as stage_order,
        model,
        provider,
        coalesce(sum(n_succeeded), 0)::bigint as n_answers,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        coalesce(sum(n_estimated), 0)::bigint as n_estimated,
        sum(thinking_tokens)::bigint as thinking_tokens,
        sum(cache_write_five_minutes_tokens + cache_write_one_hour_tokens)::bigint
            as cache_write_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        {{ sum_or_null('usd') }} as usd,
    from {{ ref('spend') }}
    group by grouping sets ((stage, stage_order, model, provider), ())

),

sent as (

    select
        stage,
        asked_model as model,
        provider,
        list(distinct template_hash order by template_hash) as template_hashes,
        list(distinct settings order by settings) as settings,
        coalesce(sum(n_requests) filter (where is_other_wording), 0)::bigint as n_other_wording,
    from {{ ref('requests') }}
    where outcome = 'succeeded'
    group by stage, asked_model, provider

)

select
    spent.*,
    sent.template_hashes,
    sent.settings,
    sent.n_other_wording,
    spent.usd / nullif((select count(*) from {{ ref('train') }}), 0) as usd_per_probe,
from spent
left join sent using (stage, model, provider)
order by spent.stage_order, spent.model, spent.provider
