-- One row per batch of a provider's list that was taken for one of ours, and is not used.
{{ config(materialized='view') }}

select * from {{ source('landing', 'disowned_batches') }}
