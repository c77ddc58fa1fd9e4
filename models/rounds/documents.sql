-- One row per document that a round shows: a prefix and the kept part of one continuation, joined to one
-- text. The only table of the warehouse that contains this text.
with

-- What landed, and what an adopted data set has of its documents' siblings.
available as (

    select
        source_model,
        doc_id,
        continuation_idx,
        doc_source,
        prefix,
        continuation,
    from {{ ref('stg_rollouts') }}

    union all

    select
        source_model,
        doc_id,
        sibling.continuation_idx,
        doc_source,
        prefix,
        sibling.continuation,
    from (select *, unnest(continuations) as sibling from {{ ref('stg_adopted_siblings') }}) as siblings

),

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
    {{ identity(['rollouts.source_model', 'rollouts.doc_id', 'rollouts.continuation_idx']) }} as document_id,
    rollouts.source_model,
    rollouts.doc_id,
    rollouts.continuation_idx,
    rollouts.doc_source,
    shown.language,
    length(rollouts.prefix) as prefix_length,
    rollouts.prefix || left(rollouts.continuation, shown.kept_length) as text,
    length(text) as text_length,
    md5(text) as text_hash,
from available as rollouts
join shown using (source_model, doc_id, continuation_idx)
order by rollouts.source_model, rollouts.doc_id, rollouts.continuation_idx
