-- One row per round, stage and model: requests that are still to be asked.
-- Answers and judgements of probes that are not written yet are counted as if every slot became one.
with

-- Slots whose probe is not in the queue, because it is not written.
unwritten as (

    select
        settings.round_number,
        settings.judge_model,
        count(*) filter (where slots.state = 'pending' and kinds.is_written) as n_slots,
    from {{ ref('round_settings') }} as settings
    left join {{ ref('slots') }} as slots using (round_number)
    left join {{ ref('slot_kinds') }} as kinds on slots.slot_idx = kinds.slot_idx
    group by settings.round_number, settings.judge_model

),

coming_answers as (

    select
        unwritten.round_number,
        unwritten.judge_model,
        arms.answerer_model,
        arms.arm != 'complement' as is_control,
        (ceil(unwritten.n_slots * arms.share) * arms.n_answers)::bigint as n_answers,
    from unwritten
    join {{ ref('round_arms') }} as arms using (round_number)

),

coming as (

    select
        round_number,
        'answerer' as stage,
        answerer_model as model,
        n_answers as n_requests,
        is_control,
    from coming_answers
    union all
    select
        round_number,
        'judge' as stage,
        judge_model as model,
        n_answers as n_requests,
        is_control,
    from coming_answers
    union all
    select
        answers.round_number,
        'judge' as stage,
        settings.judge_model as model,
        1 as n_requests,
        answers.arm != 'complement' as is_control,
    from {{ ref('arm_answers') }} as answers
    join {{ ref('round_settings') }} as settings using (round_number)
    where answers.state in ('pending', 'open')
    union all
    -- What checks the judge.
    select
        checks.round_number,
        'judge' as stage,
        checks.judge_model as model,
        (
            ceil(unwritten.n_slots * checks.share)
            * if(checks.control = 'judge_anchors', anchors.n_anchors, arms.n_answers)
        )::bigint as n_requests,
        true as is_control,
    from {{ ref('judge_checks') }} as checks
    join unwritten using (round_number)
    join {{ ref('round_arms') }} as arms
        on checks.round_number = arms.round_number and arms.arm = 'complement'
    cross join (select count(*) as n_anchors from {{ ref('answer_anchors') }}) as anchors
    union all
    select
        answers.round_number,
        'judge' as stage,
        checks.judge_model as model,
        1 as n_requests,
        true as is_control,
    from {{ ref('answers') }} as answers
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('judge_checks') }} as checks using (round_number)
    where
        answers.state in ('pending', 'open')
        and checks.control != 'judge_anchors'
        and {{ is_in_control_sample('settings.seed', 'answers.probe_id', 'checks.share') }}
    union all
    select
        round_number,
        'generator' as stage,
        generator_model as model,
        0 as n_requests,
        false as is_control,
    from {{ ref('round_settings') }}

),

counted as (

    select
        round_number,
        stage,
        model,
        sum(n_requests)::bigint as n_downstream,
        coalesce(sum(n_requests) filter (where is_control), 0)::bigint as n_controls,
    from coming
    group by round_number, stage, model

),

-- All but those that write, answer and score probes, or score what others answered.
of_controls as (

    select request_id
    from {{ ref('answerer_requests') }}
    where arm != 'complement'
    union all
    select request_id
    from {{ ref('judge_requests') }}
    where
        anchor is not null
        or judge_role != 'judge'
        or replicate > 1
        or arm not in ('complement', 'resample')

),

pending as (

    select
        requests.round_number,
        requests.stage,
        requests.model,
        count(*) as n_requests,
        count(of_controls.request_id) as n_controls,
    from {{ ref('pending_requests') }} as requests
    left join of_controls using (request_id)
    group by requests.round_number, requests.stage, requests.model

)

select
    counted.round_number,
    settings.state as round_state,
    counted.stage,
    stages.stage_order,
    counted.model,
    coalesce(pending.n_requests, 0) as n_pending,
    counted.n_downstream,
    coalesce(pending.n_controls, 0) + counted.n_controls as n_controls,
from counted
join {{ ref('round_settings') }} as settings using (round_number)
join {{ ref('stages') }} as stages on counted.stage = stages.stage
left join pending
    on
        counted.round_number = pending.round_number
        and counted.stage = pending.stage
        and counted.model = pending.model
order by counted.round_number, stages.stage_order, counted.model
