-- One row per stage and model that has answered: the answers of its latest batch, and all usable ones.
{{ config(materialized='view') }}

with

by_batch as (

    select
        attempts.stage,
        attempts.model,
        (batches.landed_at, attempts.batch_id) as batch,
        count(*) as n_answers,
        count(*) filter (where unusable.problem is null) as n_usable,
    from {{ ref('attempts') }} as attempts
    join {{ ref('stg_batches') }} as batches using (batch_id)
    left join {{ ref('unusable_responses') }} as unusable
        on attempts.request_id = unusable.request_id and attempts.attempt = unusable.attempt
    where attempts.state in ('usable', 'unusable', 'refused')
    group by all

)

select
    stage,
    model,
    max(batch)[2] as latest_batch_id,
    arg_max(n_answers, batch) as n_latest,
    arg_max(n_usable, batch) as n_latest_usable,
    sum(n_usable)::bigint as n_usable,
from by_batch
group by stage, model
