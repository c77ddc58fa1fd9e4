-- One row per document of an adopted round: its shared beginning, and the continuations shown.
{{ config(materialized='view') }}

select * from {{ source('landing', 'adopted_siblings') }}
