-- One row per judge request: one per answer of any arm.
select
    'judge-' || {{ identity(['answers.request_id', "'judge'", '1']) }} as request_id,
    'judge' as stage,
    answers.round_number,
    answers.probe_id,
    answers.arm,
    answers.answer_number,
    answers.request_id as answer_request_id,
    answers.attempt as answer_attempt,
    settings.judge_model as model,
    {{ identity([
        'probes.verbalizer_prompt',
        'documents.text_hash',
        'probes.atom_start',
        'probes.atom_end',
        'answers.answer_hash',
    ]) }} as input_hash,
    probes.atom_end - probes.atom_start + length(probes.verbalizer_prompt) + answers.answer_length
        as input_characters,
from {{ ref('arm_answers') }} as answers
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as documents using (document_id)
join {{ ref('round_settings') }} as settings on answers.round_number = settings.round_number
where answers.state = 'answered'
order by answers.round_number, answers.probe_id, answers.arm, answers.answer_number
