-- One row per method, condition and probe that the method answered: its answers, and their mean score.
-- Not a file per round: what a method answers is compared over all rounds.
select
    scores.round_number,
    scores.source_model,
    scores.doc_id,
    scores.slot_idx,
    scores.probe_id,
    scores.oracle,
    scores.condition,
    list(answers.answer order by answers.answer_number) as answers,
    any_value(scores.score_mean) as score_mean,
from {{ ref('oracle_probes') }} as scores
join {{ ref('stg_oracle_answers') }} as answers using (oracle, condition, probe_id)
where scores.round_number in (select round_number from {{ ref('published_rounds') }})
group by
    scores.round_number, scores.source_model, scores.doc_id, scores.slot_idx, scores.probe_id, scores.oracle,
    scores.condition
order by scores.round_number, scores.doc_id, scores.slot_idx, scores.oracle, scores.condition
