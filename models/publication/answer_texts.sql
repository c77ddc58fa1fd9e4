-- One row per written probe and arm whose answers were all judged: the texts of these, by answer number.
-- The only place where long texts are stored twice: responses are in order of arrival, and an export,
-- which reads document by document, would have to scan all of them each time.
select
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    probes.probe_id,
    scores.arm,
    any_value(answers.answerer_model) as answerer_model,
    list(responses.text order by answers.answer_number) as answers,
from {{ ref('probes') }} as probes
join {{ ref('arm_scores') }} as scores using (probe_id)
join {{ ref('arm_answers') }} as answers
    on probes.probe_id = answers.probe_id and scores.arm = answers.arm
join {{ ref('responses') }} as responses
    on answers.request_id = responses.request_id and answers.attempt = responses.attempt
where scores.scores is not null
group by
    probes.round_number, probes.source_model, probes.doc_id, probes.slot_idx, probes.probe_id, scores.arm

union all by name

select * exclude (scores, unscored_reason)
from {{ ref('adopted_answers') }}
where scores is not null
order by round_number, doc_id, slot_idx, arm
