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

unread as (

    select
        rollouts.document_id,
        {{ identity(['rollouts.prefix', 'rollouts.continuation']) }} as text_hash,
        method.method,
        rollouts.prefix,
        rollouts.continuation,
    from {{ ref('stg_rollouts') }} as rollouts
    cross join method
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            rollouts.document_id = known.document_id
            and {{ identity(['rollouts.prefix', 'rollouts.continuation']) }} = known.text_hash
            and method.method = known.method
    {% endif %}

),

read as (

    select
        document_id,
        text_hash,
        method,
        length(continuation) as continuation_length,
        text_measures(prefix, continuation, '{{ var("language") }}') as measures,
    from unread

)

select
    * exclude (measures),
    unnest(measures),
from read
