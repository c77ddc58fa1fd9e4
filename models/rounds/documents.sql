-- One row per document that a round shows: a prefix and the kept part of one continuation, joined to one
-- text. The only table of the warehouse that contains this text.
with

shown as (

    select distinct
        documents.source_model,
        documents.doc_id,
        unnest(documents.continuation_idxs) as continuation_idx,
        unnest(documents.kept_lengths) as kept_length,
        settings.language,
    from {{ ref('round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)

)

select
    rollouts.document_id,
    rollouts.source_model,
    rollouts.doc_id,
    rollouts.continuation_idx,
    rollouts.doc_source,
    shown.language,
    length(rollouts.prefix) as prefix_length,
    rollouts.prefix || left(rollouts.continuation, shown.kept_length) as text,
    length(text) as text_length,
    md5(text) as text_hash,
from {{ ref('stg_rollouts') }} as rollouts
join shown using (source_model, doc_id, continuation_idx)
order by rollouts.source_model, rollouts.doc_id, rollouts.continuation_idx
