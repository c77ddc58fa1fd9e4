-- One row per round and arm in which its written probes are answered: share, answerer, number of answers.
-- The levels of a calibration have no controls: their numbers are not round numbers. Of an adopted round,
-- only held-out answers to probes that a method answers are asked: the others are published.
select
    settings.round_number,
    arms.arm,
    arms.shown,
    if(arms.arm = 'complement', 1, coalesce(controls.share, 0)) as share,
    coalesce(controls.model, settings.answerer_model) as answerer_model,
    coalesce(controls.n_answers, settings.n_answers) as n_answers,
    not settings.is_adopted as is_asked,
from {{ ref('round_settings') }} as settings
cross join {{ ref('answer_arms') }} as arms
left join {{ ref('requested_controls') }} as controls
    on
        settings.round_number = controls.round_number
        and arms.arm = controls.control
        and not settings.is_calibration
-- Every probe that oracles answer gets held-out answers, whatever the share of the control.
left join (select distinct round_number from {{ ref('oracle_questions') }}) as questions
    on settings.round_number = questions.round_number and arms.arm = 'held_out'
where
    arms.arm = 'complement'
    or controls.share > 0
    or controls.is_adopted
    or questions.round_number is not null
order by settings.round_number, arms.arm
