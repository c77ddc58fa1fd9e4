-- One row per landed rollout: a prefix with one sampled continuation.
{{ config(materialized='view') }}

select
    {{ identity(['source_model', 'doc_id', 'continuation_idx']) }} as document_id,
    source_model,
    doc_id,
    continuation_idx,
    doc_source,
    prefix,
    continuation,
from {{ source('landing', 'rollouts') }}
