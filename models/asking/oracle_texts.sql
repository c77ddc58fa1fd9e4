-- One row per written probe and distinct text with which a method answered it. The judge scores each text
-- once, whichever methods gave it and how often; blank texts need no judge.
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
