-- One row per answered attempt whose answer cannot be used: what is wrong with it.
{{ config(materialized='view') }}

select
    responses.request_id,
    responses.attempt,
    responses.stage,
    responses.round_number,
    responses.asked_model,
    responses.model as named_model,
    requests.batch_id,
    coalesce(responses.problem, outputs.rejection_reason) as problem,
    coalesce(problems.meaning, reasons.meaning) as meaning,
    responses.text,
from {{ ref('responses') }} as responses
join {{ ref('stg_requests') }} as requests
    on responses.request_id = requests.request_id and responses.attempt = requests.attempt
left join {{ ref('answer_problems') }} as problems using (problem)
left join {{ ref('generator_outputs') }} as outputs
    on
        responses.request_id = outputs.request_id
        and responses.attempt = outputs.attempt
        and responses.problem is null
left join {{ ref('rejection_reasons') }} as reasons using (rejection_reason)
where responses.problem is not null or outputs.rejection_reason is not null
