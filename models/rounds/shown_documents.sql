-- One row per document that a generator request shows, with the sentences after which it can be split.
with

shown as (

    select
        documents.round_number,
        documents.source_model,
        documents.doc_id,
        documents.row_seed,
        settings.min_sentences_beside_split,
        unnest(documents.continuation_idxs) as continuation_idx,
        generate_subscripts(documents.continuation_idxs, 1) as position,
    from {{ ref('round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)

),

measured as (

    select
        shown.*,
        documents.document_id,
        documents.text_hash,
        documents.text_length,
        documents.prefix_length,
        len(units.sentences) as n_sentences,
        -- The first sentence that ends in text written by the source model.
        len(
            list_filter(units.sentences, lambda x: x.ends_at < documents.prefix_length)
        ) + 1 as first_own_sentence,
    from shown
    join {{ ref('documents') }} as documents using (source_model, doc_id, continuation_idx)
    join {{ ref('document_units') }} as units using (document_id)

)

select
    * exclude (min_sentences_beside_split, first_own_sentence),
    'd' || position as label,
    greatest(first_own_sentence, min_sentences_beside_split) as first_split,
    -- A split inside a sentence needs that many complete sentences before it.
    greatest(first_own_sentence, min_sentences_beside_split + 1) as first_split_inside,
    n_sentences - min_sentences_beside_split as last_split,
    first_split_inside <= last_split as can_be_chosen,
from measured
order by round_number, doc_id, position
