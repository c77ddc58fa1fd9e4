-- One row per document of a started round: the siblings that its first request froze.
{{ config(materialized='view') }}

select * from {{ source('landing', 'started_round_documents') }}
