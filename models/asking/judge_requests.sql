-- One row per judge request: each answer of any arm once; where the judge is checked, answers from the
-- complement again, the same by a second judge, and anchors in place of answers; what oracles say; and what
-- the source model says once more.
with

-- Everything that could be judged more than once, or by another.
checked as (

    select
        answers.*,
        checks.judge_model,
        if(checks.control = 'second_judge', 'second_judge', 'judge') as judge_role,
        if(checks.control = 'second_judge', 1, 2) as replicate,
        -- The round's own judge is known by its role, another by its name: its line may change.
        if(checks.control = 'second_judge', checks.judge_model, 'judge') as judge_key,
    from {{ ref('arm_answers') }} as answers
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('judge_checks') }} as checks using (round_number)
    where
        answers.arm = 'complement'
        and answers.state = 'answered'
        and checks.control in ('judge_retest', 'second_judge')
        and {{ is_in_control_sample('settings.seed', 'answers.probe_id', 'checks.share') }}

),

wanted as (

    select
        'judge-' || {{ identity(['answers.request_id', "'judge'", '1']) }} as request_id,
        answers.round_number,
        answers.probe_id,
        answers.arm,
        answers.answer_number,
        answers.request_id as answer_request_id,
        answers.attempt as answer_attempt,
        answers.answer_hash,
        answers.answer_length,
        'judge' as judge_role,
        1 as replicate,
        settings.judge_model as model,
    from {{ ref('arm_answers') }} as answers
    join {{ ref('round_settings') }} as settings using (round_number)
    where answers.state = 'answered'

    union all by name

    select
        'judge-' || {{ identity(['request_id', 'judge_key', 'replicate']) }} as request_id,
        round_number,
        probe_id,
        arm,
        answer_number,
        request_id as answer_request_id,
        attempt as answer_attempt,
        answer_hash,
        answer_length,
        judge_role,
        replicate,
        judge_model as model,
    from checked

    union all by name

    select
        'judge-' || {{ identity([
            "'anchor'",
            'anchors.round_number',
            'anchors.probe_id',
            'anchors.anchor',
            "'judge'",
            '1',
        ]) }} as request_id,
        anchors.round_number,
        anchors.probe_id,
        anchors.anchor,
        md5(anchors.answer) as answer_hash,
        length(anchors.answer) as answer_length,
        'judge' as judge_role,
        1 as replicate,
        settings.judge_model as model,
    from {{ ref('anchor_answers') }} as anchors
    join {{ ref('round_settings') }} as settings using (round_number)

    union all by name

    select
        'judge-' || {{ identity(["'oracle'", 'texts.probe_id', 'texts.answer_hash']) }} as request_id,
        texts.round_number,
        texts.probe_id,
        texts.answer_hash as oracle_answer_hash,
        texts.answer_hash,
        length(texts.answer) as answer_length,
        'judge' as judge_role,
        1 as replicate,
        settings.judge_model as model,
    from {{ ref('oracle_texts') }} as texts
    join {{ ref('round_settings') }} as settings using (round_number)

    union all by name

    select
        'judge-' || {{ identity(["'resample'", 'passages.probe_id', 'passages.continuation_idx']) }}
            as request_id,
        passages.round_number,
        passages.probe_id,
        'resample' as arm,
        passages.continuation_idx + 1 as answer_number,
        passages.passage_hash as answer_hash,
        passages.passage_length as answer_length,
        'judge' as judge_role,
        1 as replicate,
        settings.judge_model as model,
    from {{ ref('resample_passages') }} as passages
    join {{ ref('round_settings') }} as settings using (round_number)
    where passages.is_written and not passages.is_empty and not passages.was_cut

)

select
    wanted.request_id,
    'judge' as stage,
    wanted.round_number,
    wanted.probe_id,
    wanted.arm,
    wanted.anchor,
    wanted.oracle_answer_hash,
    wanted.answer_number,
    wanted.answer_request_id,
    wanted.answer_attempt,
    wanted.judge_role,
    wanted.replicate,
    wanted.model,
    {{ identity([
        'probes.verbalizer_prompt',
        'documents.text_hash',
        'probes.atom_start',
        'probes.atom_end',
        'wanted.answer_hash',
    ]) }} as input_hash,
    probes.atom_end - probes.atom_start + length(probes.verbalizer_prompt) + wanted.answer_length
        as input_characters,
from wanted
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as documents using (document_id)
order by
    wanted.round_number,
    wanted.probe_id,
    wanted.arm,
    wanted.anchor,
    wanted.oracle_answer_hash,
    wanted.answer_number,
    wanted.judge_role,
    wanted.replicate
