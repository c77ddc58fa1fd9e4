-- Mean, best and worst score are those of the published list.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    bb_answer_score_max is distinct from list_max(bb_answer_rollout_scores)
    or bb_answer_score_min is distinct from list_min(bb_answer_rollout_scores)
    or (bb_answer_score_mean is null) != (bb_answer_rollout_scores is null)
    or abs(
        bb_answer_score_mean
        - list_sum(bb_answer_rollout_scores) / len(bb_answer_rollout_scores)
    ) > 5.1e-7
