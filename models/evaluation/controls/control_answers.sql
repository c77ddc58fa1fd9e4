-- One row per written probe and control arm whose answers were all judged: these answers and their scores.
-- A table: responses are in order of arrival, and an export reads document by document.
select
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    scores.probe_id,
    scores.arm,
    any_value(answers.answerer_model) as answerer_model,
    list(responses.text order by answers.answer_number) as answers,
    any_value(scores.scores) as scores,
from {{ ref('arm_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('arm_answers') }} as answers on scores.probe_id = answers.probe_id and scores.arm = answers.arm
join {{ ref('responses') }} as responses
    on answers.request_id = responses.request_id and answers.attempt = responses.attempt
where scores.arm != 'complement' and scores.scores is not null
group by probes.round_number, probes.source_model, probes.doc_id, probes.slot_idx, scores.probe_id, scores.arm
order by probes.round_number, probes.doc_id, probes.slot_idx, scores.arm
