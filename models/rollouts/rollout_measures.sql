-- One row per landed rollout: measures of its continuation's eligibility.
-- Incremental: Python runs once per text and method.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
        post_hook="delete from {{ this }} where document_id not in (select document_id from {{ ref('stg_rollouts') }})",
    )
}}

with

method as (

    select text_measures_method('{{ var("language") }}') as method

),

texts as (

    select
        document_id,
        length(continuation) as continuation_length,
        {{ measured_part('prefix') }} as prefix,
        {{ measured_part('continuation') }} as continuation,
    from {{ ref('stg_rollouts') }}

),

unread as (

    select
        texts.*,
        {{ identity(['texts.prefix', 'texts.continuation']) }} as text_hash,
        method.method,
    from texts
    cross join method
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            texts.document_id = known.document_id
            and {{ identity(['texts.prefix', 'texts.continuation']) }} = known.text_hash
            and method.method = known.method
    {% endif %}

),

read as (

    select
        document_id,
        text_hash,
        method,
        continuation_length,
        text_measures(prefix, continuation, '{{ var("language") }}') as measures,
    from unread

)

select
    * exclude (measures),
    unnest(measures),
from read
