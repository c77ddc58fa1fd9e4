-- One row per drawn word or lens that has a candidate: its wrong answer, drawn with the weights of its round,
-- scope and target.
select
    candidates.round_number,
    candidates.doc_id,
    candidates.slot_idx,
    candidates.candidate,
    candidates.text as wrong_answer,
from {{ ref('wrong_answer_measures') }} as candidates
join {{ ref('wrong_answer_weights') }} as weights using (round_number, scope, target)
join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
where candidates.candidate > 0
qualify
    row_number() over (
        partition by candidates.round_number, candidates.doc_id, candidates.slot_idx
        -- The highest sum of a logarithmic weight and Gumbel noise is a draw with these weights.
        order by
            list_dot_product(weights.weights, candidates.differences)
            - ln(-ln({{ seeded_share([
                'chosen.row_seed',
                'candidates.slot_idx',
                'candidates.candidate',
                "'wrong answer'",
            ]) }})) desc,
            candidates.candidate
    ) = 1
order by candidates.round_number, candidates.doc_id, candidates.slot_idx
