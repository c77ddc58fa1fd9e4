-- One row per local model that scored probes, with its settings.
{{ config(materialized='view') }}

select * from {{ source('landing', 'readers') }}
