-- One row per batch meant for a provider.
{{ config(materialized='view') }}

select * from {{ source('landing', 'batches') }}
