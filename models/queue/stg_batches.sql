-- One row per batch handed to a provider.
{{ config(materialized='view') }}

select * from {{ source('landing', 'batches') }}
