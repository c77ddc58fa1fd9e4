-- One row per attempt that ended, with the line of results as it came.
{{ config(materialized='view') }}

select * from {{ source('landing', 'responses') }}
