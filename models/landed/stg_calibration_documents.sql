-- One row per document that is set apart for a calibration.
{{ config(materialized='view') }}

select * from {{ source('landing', 'calibration_documents') }}
