-- One row per method and condition that `ask-oracle` has asked, with the settings of its answers.
{{ config(materialized='view') }}

select * from {{ source('landing', 'oracle_runs') }}
