-- A second answerer or judge is another model than the first, and a retest uses the same model, except in
-- withdrawn rounds.
select
    arms.round_number,
    arms.arm as control,
    arms.answerer_model as model,
from {{ ref('round_arms') }} as arms
join {{ ref('round_settings') }} as settings using (round_number)
where
    (arms.arm = 'second_reader') != (arms.answerer_model != settings.answerer_model)
    and settings.state != 'withdrawn'

union all

select
    checks.round_number,
    checks.control,
    checks.judge_model as model,
from {{ ref('judge_checks') }} as checks
join {{ ref('round_settings') }} as settings using (round_number)
where
    (checks.control = 'second_judge') != (checks.judge_model != settings.judge_model)
    and settings.state != 'withdrawn'
