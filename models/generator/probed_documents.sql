-- One row per document of a round that was split: chosen by the generator, or of an adopted data set.
{{ config(materialized='view') }}

select
    round_number,
    doc_id,
    document_id,
from {{ ref('chosen_documents') }}

union all

select
    round_number,
    doc_id,
    document_id,
from {{ ref('adopted_documents') }}
