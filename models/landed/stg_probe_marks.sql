-- One row per rater, probe and revision of the rater's mark.
{{ config(materialized='view') }}

select * from {{ source('landing', 'probe_marks') }}
