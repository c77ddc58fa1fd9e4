-- One row per started round: the settings that its first request froze.
{{ config(materialized='view') }}

select * from {{ source('landing', 'started_rounds') }}
