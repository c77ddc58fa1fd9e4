-- One row per rollout that says nearly the same as another continuation of its prefix, with the
-- first such sibling.
with

rollouts as (

    select
        stg_rollouts.document_id,
        stg_rollouts.source_model,
        stg_rollouts.doc_id,
        stg_rollouts.continuation_idx,
        measures.signature,
    from {{ ref('stg_rollouts') }} as stg_rollouts
    join {{ ref('rollout_measures') }} as measures using (document_id)
    where len(measures.signature) > 0

)

select
    rollouts.document_id,
    min(earlier.continuation_idx) as sibling_idx,
    max({{ similarity('rollouts.signature', 'earlier.signature') }}) as similarity,
from rollouts
join rollouts as earlier
    on
        rollouts.source_model = earlier.source_model
        and rollouts.doc_id = earlier.doc_id
        and rollouts.continuation_idx > earlier.continuation_idx
        and {{ similarity('rollouts.signature', 'earlier.signature') }}
        >= {{ var('least_similarity') }}
group by rollouts.document_id
order by rollouts.document_id
