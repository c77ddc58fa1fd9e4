-- One row per text reader, measure and adopted probe, as published.
{{ config(materialized='view') }}

select * from {{ source('landing', 'adopted_text_readers') }}
