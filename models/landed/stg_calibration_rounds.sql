-- One row per level of a calibration: a round that shares its documents with those of the other levels.
{{ config(materialized='view') }}

select * from {{ source('landing', 'calibration_rounds') }}
