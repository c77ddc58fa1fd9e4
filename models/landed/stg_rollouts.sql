-- One row per landed rollout: a prefix with one sampled continuation.
{{ config(materialized='view') }}

select
    {{ identity(['source_model', 'doc_id', 'continuation_idx']) }} as document_id,
    rollouts.source_model,
    rollouts.doc_id,
    rollouts.continuation_idx,
    rollouts.doc_source,
    rollouts.prefix,
    rollouts.continuation,
    rollouts.sampling,
    rollouts.prefix_tokens,
    rollouts.continuation_tokens,
    sources.landed_at,
from {{ source('landing', 'rollouts') }} as rollouts
join {{ source('landing', 'rollout_sources') }} as sources using (source_hash)
