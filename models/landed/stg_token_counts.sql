-- One row per request, model and wording of the prompt whose tokens were counted before sending.
{{ config(materialized='view') }}

select * from {{ source('landing', 'token_counts') }}
