-- One row per round of an adopted data set: its settings and results, as published, and when they landed.
{{ config(materialized='view') }}

select
    rounds.*,
    sets.landed_at,
from {{ source('landing', 'adopted_rounds') }} as rounds
cross join {{ source('landing', 'adopted_sets') }} as sets
