-- One row per round, stage, model, provider and problem: answers that cannot be used.
select
    responses.round_number,
    responses.stage,
    stages.stage_order,
    responses.asked_model as model,
    batches.provider,
    responses.problem,
    responses.meaning,
    count(*) as n_answers,
from {{ ref('unusable_responses') }} as responses
join {{ ref('stages') }} as stages using (stage)
join {{ ref('stg_batches') }} as batches on responses.batch_id = batches.batch_id
group by all
order by responses.round_number, stages.stage_order, model, batches.provider, responses.problem
