-- One row per line of results that answers no attempt of its batch.
{{ config(materialized='view') }}

select * from {{ source('landing', 'stray_results') }}
