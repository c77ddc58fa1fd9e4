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

prefixes as (

    select
        source_model,
        doc_id,
        length(any_value(prefix)) as prefix_length,
        {{ measured_part('any_value(prefix)') }} as prefix,
        md5({{ measured_part('any_value(prefix)') }}) as text_hash,
    from {{ ref('stg_rollouts') }}
    group by source_model, doc_id

),

unread as (

    select
        prefixes.*,
        method.method,
    from prefixes
    cross join method
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            prefixes.source_model = known.source_model
            and prefixes.doc_id = known.doc_id
            and prefixes.text_hash = known.text_hash
            and method.method = known.method
    {% endif %}

),

read as (

    select
        * exclude (prefix),
        text_measures('', prefix, '{{ var("language") }}') as measures,
    from unread

)

select
    * exclude (measures),
    unnest(measures),
from read
