-- One row per judge request: the round's judge scores every text once. Where a control checks the judge, it
-- scores answers from the complement again, and so does a second judge.
with

first_scored as (

    select
        texts.*,
        texts.text_id as request_id,
        'judge' as judge_role,
        1 as replicate,
        settings.judge_model as model,
    from {{ ref('texts_to_judge') }} as texts
    join {{ ref('round_settings') }} as settings using (round_number)

),

checked as (

    select
        texts.*,
        if(checks.control = 'second_judge', 'second_judge', 'judge') as judge_role,
        if(checks.control = 'second_judge', 1, 2) as replicate,
        checks.judge_model as model,
        -- The round's own judge is identified by its role, another by its name: its line may change.
        if(checks.control = 'second_judge', checks.judge_model, 'judge') as judge_key,
    from {{ ref('texts_to_judge') }} as texts
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('judge_checks') }} as checks using (round_number)
    where
        texts.arm = 'complement'
        and checks.control in ('judge_retest', 'second_judge')
        and {{ is_in_control_sample('settings.seed', 'texts.probe_id', 'checks.share') }}

),

wanted as (

    select *
    from first_scored

    union all by name

    select
        * exclude (judge_key),
        'judge-' || {{ identity(['answer_request_id', 'judge_key', 'replicate']) }} as request_id,
    from checked

)

select
    wanted.request_id,
    'judge' as stage,
    wanted.round_number,
    wanted.probe_id,
    wanted.text_id,
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
        'md5(wanted.text)',
    ]) }} as input_hash,
    probes.atom_end - probes.atom_start + length(probes.verbalizer_prompt) + length(wanted.text)
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
