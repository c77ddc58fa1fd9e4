-- One row per rollout that is a near duplicate of an earlier continuation of its prefix, with the first
-- such sibling. Only uncut, eligible ones are compared: a signature covers the full continuation.
with

rollouts as (

    select
        whole.document_id,
        whole.source_model,
        whole.doc_id,
        whole.continuation_idx,
        measures.signature,
    from {{ ref('cut_rollouts') }} as whole
    join {{ ref('rollout_measures') }} as measures using (document_id)
    where
        whole.cut_reason is null
        and whole.exclusion_reason is null
        and len(measures.signature) > 0

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
        >= {{ var('min_duplicate_similarity') }}
group by rollouts.document_id
order by rollouts.document_id
