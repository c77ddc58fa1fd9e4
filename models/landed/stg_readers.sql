-- One row per language model that read probes in this process, as it was set.
{{ config(materialized='view') }}

select * from {{ source('landing', 'readers') }}
