-- One row per document: its words, sentences and paragraphs, each a list of spans.
-- Incremental: Python runs once per text and method.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
        post_hook="delete from {{ this }} where document_id not in (select document_id from {{ ref('documents') }})",
    )
}}

with

unread as (

    select
        documents.document_id,
        documents.text_hash,
        documents.text,
        documents.language,
        text_units_method(documents.language) as method,
    from {{ ref('documents') }} as documents
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            documents.document_id = known.document_id
            and documents.text_hash = known.text_hash
            and text_units_method(documents.language) = known.method
    {% endif %}

),

read as (

    select
        document_id,
        text_hash,
        method,
        text_units(text, language) as units,
    from unread

)

select
    document_id,
    text_hash,
    method,
    unnest(units),
from read
