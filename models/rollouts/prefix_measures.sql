-- One row per prefix: measures of its eligibility and of its similarity to others.
-- Incremental: Python runs once per text and method.
{{
    config(
        materialized='incremental',
        unique_key=['source_model', 'doc_id'],
        on_schema_change='fail',
        post_hook="delete from {{ this }} where (source_model, doc_id) not in (select (source_model, doc_id) from {{ ref('stg_rollouts') }})",
    )
}}

with

method as (

    select text_measures_method('{{ var("language") }}') as method

),

unread as (

    select
        rollouts.source_model,
        rollouts.doc_id,
        method.method,
        any_value(rollouts.prefix) as prefix,
        md5(any_value(rollouts.prefix)) as text_hash,
    from {{ ref('stg_rollouts') }} as rollouts
    cross join method
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            rollouts.source_model = known.source_model
            and rollouts.doc_id = known.doc_id
            and md5(rollouts.prefix) = known.text_hash
            and method.method = known.method
    {% endif %}
    group by rollouts.source_model, rollouts.doc_id, method.method

),

read as (

    select
        * exclude (prefix),
        length(prefix) as prefix_length,
        text_measures('', prefix, '{{ var("language") }}') as measures,
    from unread

)

select
    * exclude (measures),
    unnest(measures),
from read
