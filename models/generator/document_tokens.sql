-- One row per chosen document: the tokens of the source model's tokenizer, as a list of spans.
-- Incremental: Python runs once per text and tokenizer.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
        post_hook="delete from {{ this }} where document_id not in (select document_id from {{ ref('chosen_documents') }})",
    )
}}

with

unread as (

    select
        documents.document_id,
        documents.text_hash,
        documents.text,
        tokenizer.tokenizer_version,
    from {{ ref('documents') }} as documents
    semi join {{ ref('chosen_documents') }} as chosen_documents using (document_id)
    cross join (
        select
            tokenizer_version(
                '{{ var("tokenizer") }}', '{{ var("tokenizer_files") }}'
            ) as tokenizer_version
    ) as tokenizer
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            documents.document_id = known.document_id
            and documents.text_hash = known.text_hash
            and tokenizer.tokenizer_version = known.tokenizer_version
    {% endif %}

)

select
    document_id,
    text_hash,
    tokenizer_version,
    token_spans(text, '{{ var("tokenizer") }}', '{{ var("tokenizer_files") }}') as tokens,
from unread
