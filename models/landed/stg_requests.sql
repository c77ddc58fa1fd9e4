-- One row per attempt at a request that was intended.
{{ config(materialized='view') }}

select * from {{ source('landing', 'requests') }}
