-- One row per answer that a method gave about a probe under a condition, except those that landed under the
-- name of a baseline that answers by itself.
{{ config(materialized='view') }}

select * replace ({{ without_fence(without_thinking('answer')) }} as answer)
from {{ source('landing', 'oracle_answers') }}
where not {{ is_reserved_method('oracle', 'file_hash') }}
