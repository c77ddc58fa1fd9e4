-- One row per probe, as it was then, and form in which a reader read it.
{{ config(materialized='view') }}

select * from {{ source('landing', 'local_scores') }}
