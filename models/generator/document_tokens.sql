-- One row per document that was split: the tokens of the source model's tokenizer, as a list of spans.
-- Incremental: Python runs once per text and tokenizer.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
        post_hook="delete from {{ this }} where document_id not in (select document_id from {{ ref('probed_documents') }})",
    )
}}

with

chosen as (

    select distinct
        probed.document_id,
        settings.tokenizer,
    from {{ ref('probed_documents') }} as probed
    join {{ ref('round_settings') }} as settings using (round_number)

),

-- A file is hashed once, not once a document.
tokenizers as (

    select
        tokenizer,
        {{ tokenizer_files('tokenizer') }} as files,
        tokenizer_version(tokenizer, files) as tokenizer_version,
    from (select distinct tokenizer from chosen)

),

unread as (

    select
        documents.document_id,
        documents.text_hash,
        documents.text,
        tokenizers.*,
    from {{ ref('documents') }} as documents
    join chosen using (document_id)
    join tokenizers using (tokenizer)
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            documents.document_id = known.document_id
            and documents.text_hash = known.text_hash
            and tokenizers.tokenizer_version = known.tokenizer_version
    {% endif %}

)

select
    document_id,
    text_hash,
    tokenizer_version,
    token_spans(text, tokenizer, files) as tokens,
from unread
