-- A written probe has the number of answers and scores that its round requests, or none; others have none.
select
    published.doc_id,
    published.slot_idx,
from {{ ref('published_probes') }} as published
join {{ ref('slot_kinds') }} as kinds using (slot_idx)
join {{ ref('round_settings') }} as settings using (round_number)
where
    (published.bb_answer_rollout_answers is null)
    != (published.bb_answer_rollout_scores is null)
    or (
        published.bb_answer_rollout_scores is not null
        and (
            not kinds.is_written
            or len(published.bb_answer_rollout_answers) != settings.n_answers
            or len(published.bb_answer_rollout_scores) != settings.n_answers
            or list_count(published.bb_answer_rollout_answers) != settings.n_answers
            or list_count(published.bb_answer_rollout_scores) != settings.n_answers
        )
    )
