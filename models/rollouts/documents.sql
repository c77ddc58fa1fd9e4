-- One row per document that a round shows: a prefix and one continuation, joined to one text.
-- The only table of the warehouse that holds it.
with

shown as (

    select distinct
        source_model,
        doc_id,
        unnest(continuation_idxs) as continuation_idx,
    from {{ ref('round_documents') }}

)

select
    rollouts.document_id,
    rollouts.source_model,
    rollouts.doc_id,
    rollouts.continuation_idx,
    rollouts.doc_source,
    length(rollouts.prefix) as prefix_length,
    length(rollouts.prefix || rollouts.continuation) as text_length,
    md5(rollouts.prefix || rollouts.continuation) as text_hash,
    rollouts.prefix || rollouts.continuation as text,
from {{ ref('stg_rollouts') }} as rollouts
semi join shown using (source_model, doc_id, continuation_idx)
order by rollouts.source_model, rollouts.doc_id, rollouts.continuation_idx
