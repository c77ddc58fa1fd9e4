-- One row per answer that a method gave about a probe under a condition.
{{ config(materialized='view') }}

select * from {{ source('landing', 'oracle_answers') }}
