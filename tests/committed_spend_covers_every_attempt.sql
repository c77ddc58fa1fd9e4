-- Every attempt that was not released is in the committed_spend: what came back as it is in the spend,
-- what is open or has no known usage at no less than its longest answer.
with

attempts as (

    select
        attempts.round_number,
        attempts.stage,
        attempts.model,
        batches.provider,
        count(*) filter (where attempts.state = 'open') as n_open,
    from {{ ref('attempts') }} as attempts
    join {{ ref('stg_batches') }} as batches using (batch_id)
    where attempts.state != 'released'
    group by all

)

select
    attempts.*,
    committed_spend.spent_usd,
    committed_spend.reserved_usd,
    spend.usd,
    spend.n_without_usage,
from attempts
join {{ ref('stages') }} as stages using (stage)
left join {{ ref('token_prices') }} as prices using (provider, model)
left join {{ ref('spend') }} as spend using (round_number, stage, model, provider)
left join {{ ref('committed_spend') }} as committed_spend using (round_number, stage, model, provider)
where
    committed_spend.round_number is null
    or (
        coalesce(spend.n_without_usage, 0) = 0
        and committed_spend.spent_usd is distinct from if(spend.round_number is null, 0, spend.usd)
    )
    or committed_spend.reserved_usd
    < (attempts.n_open + coalesce(spend.n_without_usage, 0)) * stages.max_tokens * prices.output_usd
