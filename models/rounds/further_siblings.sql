-- One row per sibling that a generator request shows for comparison alone: the part of its continuation.
{{ config(materialized='view') }}

with

listed as (

    select
        round_number,
        source_model,
        doc_id,
        unnest(further_idxs) as continuation_idx,
        unnest(further_lengths) as shown_length,
        generate_subscripts(further_idxs, 1) as position,
    from {{ ref('round_documents') }}

)

select
    listed.round_number,
    listed.doc_id,
    listed.position,
    listed.continuation_idx,
    left(rollouts.continuation, listed.shown_length) as text,
from listed
join {{ ref('stg_rollouts') }} as rollouts using (source_model, doc_id, continuation_idx)
