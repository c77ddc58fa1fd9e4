-- One row per adopted document: its fold, as published.
{{ config(materialized='view') }}

select * from {{ source('landing', 'adopted_folds') }}
