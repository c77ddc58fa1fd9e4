-- The line of a started round is unchanged since it was frozen, except that n_answers may grow and
-- withdrawn may change.
select started.round_number
from {{ ref('stg_started_rounds') }} as started
left join {{ ref('requested_rounds') }} as line using (round_number)
where
    line.n_docs is distinct from started.n_docs
    or line.seed is distinct from started.seed
    or line.source_model is distinct from started.source_model
    or line.calibration_level is distinct from started.calibration_level
    or line.generator_model is distinct from started.generator_model
    or line.answerer_model is distinct from started.answerer_model
    or line.judge_model is distinct from started.judge_model
    or line.n_answers < started.n_answers
