-- One row per attempt that ended, with the raw message.
{{ config(materialized='view') }}

select * from {{ source('landing', 'responses') }}
