-- One row per adopted round and arm, as published.
{{ config(materialized='view') }}

select * from {{ source('landing', 'adopted_controls') }}
