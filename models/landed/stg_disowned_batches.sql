-- One row per batch of a provider's list that was mistaken for one of ours; its results are not used.
{{ config(materialized='view') }}

select * from {{ source('landing', 'disowned_batches') }}
