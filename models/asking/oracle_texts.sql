-- One row per written probe and text that a method said of it. The judge reads each text once, whoever
-- said it and how often; nothing at all needs no judge.
select
    probes.round_number,
    answers.probe_id,
    answers.answer_hash,
    any_value(answers.answer) as answer,
from {{ ref('stg_oracle_answers') }} as answers
join {{ ref('probes') }} as probes using (probe_id)
where probes.is_written and not {{ is_blank('answers.answer') }}
group by probes.round_number, answers.probe_id, answers.answer_hash
order by probes.round_number, answers.probe_id, answers.answer_hash
