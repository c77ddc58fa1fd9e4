-- At most one row: the scored sentence probe whose best score is nearest to the middle.
select
    verbalizer_prompt,
    right(context, 300) as end_of_context,
    left(context, 300) as start_of_context,
    atom_text,
    target_response,
    incorrect_plausible_answer,
    bb_answer_rollout_answers,
    bb_answer_rollout_scores,
    target,
    typicality,
    doc_source,
    split_char_offset,
    generator_model,
from {{ ref('train') }}
where bb_answer_score_max is not null and scope = 'sentence'
order by abs(bb_answer_score_max - 0.5), source_model, doc_id, slot_idx
limit 1
