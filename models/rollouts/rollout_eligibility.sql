-- One row per landed rollout: how much of it is kept, and whether that is eligible; if not, the reason,
-- with the measures behind it.
select
    rollouts.* exclude (exclusion_reason),
    twins.sibling_idx as duplicate_of_idx,
    coalesce(
        rollouts.exclusion_reason, case when twins.document_id is not null then 'near_duplicate_sibling' end
    ) as exclusion_reason,
from {{ ref('cut_rollouts') }} as rollouts
left join {{ ref('near_duplicate_siblings') }} as twins using (document_id)
order by rollouts.source_model, rollouts.doc_id, rollouts.continuation_idx
