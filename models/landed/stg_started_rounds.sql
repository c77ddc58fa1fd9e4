-- One row per started round: the settings that its first request froze, or those of an adopted data set.
{{ config(materialized='view') }}

select * from {{ source('landing', 'started_rounds') }}

union all by name

select
    round_number,
    n_documents_wanted as n_docs,
    seed,
    source_model,
    calibration_level,
    n_answers,
    generator_model,
    answerer_model,
    judge_model,
    {% for name in frozen_settings() -%}
    {{ name }},
    {% endfor -%}
    landed_at as started_at,
from {{ ref('stg_adopted_rounds') }}
