-- One row per scored probe: the texts of its answers, by answer number.
-- The only place where long texts are stored twice: responses are in order of arrival, and an export,
-- which reads document by document, would have to scan all of them each time.
select
    probes.round_number,
    probes.doc_id,
    probes.slot_idx,
    list(responses.text order by answers.answer_number) as answers,
from {{ ref('probes') }} as probes
join {{ ref('probe_scores') }} as scores using (probe_id)
join {{ ref('answers') }} as answers on probes.probe_id = answers.probe_id
join {{ ref('responses') }} as responses
    on answers.request_id = responses.request_id and answers.attempt = responses.attempt
where scores.scores is not null
group by probes.round_number, probes.doc_id, probes.slot_idx
order by probes.round_number, probes.doc_id, probes.slot_idx
