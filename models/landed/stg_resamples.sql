-- One row per continuation that a source model wrote once more from a split.
{{ config(materialized='view') }}

select * from {{ source('landing', 'resamples') }}
