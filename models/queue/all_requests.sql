-- One row per request that should be asked at some time, whatever became of it.
{{ config(materialized='view') }}

select
    request_id, stage, round_number, model, input_hash, input_characters,
from {{ ref('generator_requests') }}
union all
select
    request_id, stage, round_number, model, input_hash, input_characters,
from {{ ref('answerer_requests') }}
union all
select
    request_id, stage, round_number, model, input_hash, input_characters,
from {{ ref('judge_requests') }}
