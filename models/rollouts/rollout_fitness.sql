-- One row per landed rollout: how much of it is kept, and whether that is fit to be probed; if not,
-- why, with the figures that say so.
select
    rollouts.* exclude (passed_over_reason),
    twins.sibling_idx as similar_sibling_idx,
    coalesce(
        rollouts.passed_over_reason, case when twins.document_id is not null then 'like_a_sibling' end
    ) as passed_over_reason,
from {{ ref('cut_rollouts') }} as rollouts
left join {{ ref('similar_siblings') }} as twins using (document_id)
order by rollouts.source_model, rollouts.doc_id, rollouts.continuation_idx
