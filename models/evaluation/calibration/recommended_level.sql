-- At most one row, if a calibration has scores: the level whose mean best score is nearest to the goal.
-- Of two equally near levels, the stricter one. Levels with too low an acceptance rate, or with too few
-- probes scored so far, are not considered.
select
    scores.calibration_level,
    scores.estimate as score_max_mean,
    scores.estimate_low as score_max_mean_low,
    scores.estimate_high as score_max_mean_high,
    rates.estimate as finalize_rate,
    {{ var('goal_score_max_mean') }} as goal_score_max_mean,
from {{ ref('calibration_sweep') }} as scores
join {{ ref('calibration_sweep') }} as rates
    on
        scores.calibration_level = rates.calibration_level
        and rates.scope = 'all'
        and rates.measure = 'finalize rate'
where
    scores.scope = 'all'
    and scores.measure = 'mean best score'
    and rates.estimate >= {{ var('min_finalize_rate') }}
    and scores.n_values
    >= {{ var('min_finalize_rate') }} * rates.estimate * rates.n_values
qualify
    row_number() over (
        order by
            round(abs(scores.estimate - {{ var('goal_score_max_mean') }}), 6),
            scores.calibration_level desc
    ) = 1
