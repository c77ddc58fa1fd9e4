-- One row per landed rollout: what says whether its continuation is fit to be probed.
-- Incremental: what Python finds is found once per rollout and method.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
    )
}}

with

method as (

    select text_measures_method('{{ var("language") }}') as method

),

unread as (

    select
        rollouts.document_id,
        method.method,
        rollouts.prefix,
        rollouts.continuation,
    from {{ ref('stg_rollouts') }} as rollouts
    cross join method
    {% if is_incremental() %}
    anti join {{ this }} as known
        on
            rollouts.document_id = known.document_id
            and method.method = known.method
    {% endif %}

),

read as (

    select
        document_id,
        method,
        length(continuation) as continuation_length,
        text_measures(prefix, continuation, '{{ var("language") }}') as measures,
    from unread

)

select
    * exclude (measures),
    unnest(measures),
from read
