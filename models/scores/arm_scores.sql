-- One row per written probe and arm: its scores if all answers were judged, or why it has none.
-- A maximum over fewer answers than requested would make probes look harder than they are.
with

counted as (

    select
        answers.probe_id,
        answers.round_number,
        answers.arm,
        any_value(answers.complement_was_cut) as complement_was_cut,
        count(*) as n_answers,
        count(*) filter (where answers.state = 'answered') as n_answered,
        count(judgements.score) as n_scores,
        case
            when n_scores = n_answers then null
            when bool_or(answers.state in ('pending', 'open')) then 'pending'
            when bool_or(judgements.state in ('pending', 'open')) then 'pending'
            when bool_or('not_recorded' in (answers.state, judgements.state)) then 'not_recorded'
            when bool_or(answers.state = 'refused') then 'answer_refused'
            when bool_or(answers.state = 'failed') then 'answer_failed'
            when bool_or(answers.state = 'stale') then 'answer_stale'
            when bool_or(judgements.state = 'refused') then 'judgement_refused'
            when bool_or(judgements.state = 'failed') then 'judgement_failed'
            when bool_or(judgements.state = 'stale') then 'judgement_stale'
        end as unscored_reason,
        list(judgements.score order by answers.answer_number) as scores,
    from {{ ref('arm_answers') }} as answers
    left join {{ ref('judge_scores') }} as judgements
        on
            answers.request_id = judgements.answer_request_id
            and judgements.judge_role = 'judge'
            and judgements.replicate = 1
    group by answers.probe_id, answers.round_number, answers.arm

),

united as (

    select * from counted

    union all by name

    -- As published with an adopted data set.
    select
        adopted.probe_id,
        adopted.round_number,
        adopted.arm,
        {{ is_cut('adopted.arm', 'probes.complement_end - probes.complement_start', 'settings') }}
            as complement_was_cut,
        coalesce(len(adopted.answers), settings.n_answers) as n_answers,
        coalesce(len(adopted.answers), 0) as n_answered,
        coalesce(len(adopted.scores), 0) as n_scores,
        adopted.unscored_reason,
        adopted.scores,
    from {{ ref('adopted_answers') }} as adopted
    join {{ ref('probes') }} as probes using (probe_id)
    join {{ ref('round_settings') }} as settings on adopted.round_number = settings.round_number

)

select
    * replace (case when n_scores = n_answers then scores end as scores),
    case when n_scores = n_answers then {{ rounded('list_avg(scores)') }} end as score_mean,
    case when n_scores = n_answers then list_max(scores) end as score_max,
    case when n_scores = n_answers then list_min(scores) end as score_min,
from united
order by round_number, probe_id, arm
