-- One row per round and stage: requests that are still to be asked.
-- Answers and judgements of probes that are not written yet are counted as if every slot became one.
with

written as (

    select count(*) as n_slots
    from {{ ref('slot_kinds') }}
    where is_written

),

-- Requests that are not yet in the queue, because what they ask about is not there.
coming as (

    select
        settings.round_number,
        count(*) filter (where slots.state = 'pending' and kinds.is_written)
        * any_value(settings.n_answers) as n_answers_coming,
    from {{ ref('round_settings') }} as settings
    left join {{ ref('slots') }} as slots using (round_number)
    left join {{ ref('slot_kinds') }} as kinds on slots.slot_idx = kinds.slot_idx
    group by settings.round_number

),

unanswered as (

    select
        round_number,
        count(*) as n_answers_unjudged,
    from {{ ref('answers') }}
    where state in ('pending', 'open')
    group by round_number

),

pending as (

    select
        round_number,
        stage,
        count(*) as n_requests,
    from {{ ref('pending_requests') }}
    group by round_number, stage

),

stages as (

    select
        settings.round_number,
        settings.state,
        stages.stage,
        stages.stage_order,
        case stages.stage
            when 'generator' then settings.generator_model
            when 'answerer' then settings.answerer_model
            when 'judge' then settings.judge_model
        end as model,
    from {{ ref('round_settings') }} as settings
    cross join {{ ref('stages') }} as stages

)

select
    stages.round_number,
    stages.state as round_state,
    stages.stage,
    stages.stage_order,
    stages.model,
    coalesce(pending.n_requests, 0) as n_pending,
    case stages.stage
        when 'generator' then 0
        when 'answerer' then coalesce(coming.n_answers_coming, 0)
        when 'judge'
            then coalesce(coming.n_answers_coming, 0) + coalesce(unanswered.n_answers_unjudged, 0)
    end as n_coming,
from stages
left join pending using (round_number, stage)
left join coming using (round_number)
left join unanswered using (round_number)
order by stages.round_number, stages.stage_order
