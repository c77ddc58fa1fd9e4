-- One row per answer that a method gave about a probe under a condition.
{{ config(materialized='view') }}

select * replace ({{ without_fence(without_thinking('answer')) }} as answer)
from {{ source('landing', 'oracle_answers') }}
