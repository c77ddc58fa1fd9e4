-- One row per document of a published round: its shared beginning once, and the continuations that the
-- generator was shown, as far as it was shown them, in that order.
{{ config(materialized='view') }}

select
    shown.round_number,
    shown.source_model,
    shown.doc_id,
    any_value(documents.doc_source) as doc_source,
    any_value(left(documents.text, documents.prefix_length)) as prefix,
    any_value(shown.prefix_tokens) as prefix_tokens,
    list(
        {
            'continuation_idx': shown.continuation_idx,
            'is_further': shown.is_further,
            'continuation': coalesce(shown.further_text, substr(documents.text, documents.prefix_length + 1)),
            'tokens': shown.continuation_tokens,
            'sampling': shown.sampling::varchar
        }
        order by shown.position
    ) as continuations,
from {{ ref('shown_continuations') }} as shown
left join {{ ref('documents') }} as documents
    on
        shown.source_model = documents.source_model
        and shown.doc_id = documents.doc_id
        and shown.document_id = documents.document_id
where shown.round_number in (select round_number from {{ ref('published_rounds') }})
group by shown.round_number, shown.source_model, shown.doc_id
