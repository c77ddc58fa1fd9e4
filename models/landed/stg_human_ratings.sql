-- One row per answer and person who scored it.
{{ config(materialized='view') }}

select * from {{ source('landing', 'human_ratings') }}
