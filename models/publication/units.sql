-- One row per document of a published round: where the source model began, and its sentences and
-- paragraphs as they were cut.
{{ config(materialized='view') }}

select
    chosen.round_number,
    documents.source_model,
    chosen.doc_id,
    chosen.prefix_length,
    chosen.sentences,
    chosen.paragraphs,
from {{ ref('chosen_documents') }} as chosen
join {{ ref('documents') }} as documents using (document_id)
where chosen.round_number in (select round_number from {{ ref('published_rounds') }})
