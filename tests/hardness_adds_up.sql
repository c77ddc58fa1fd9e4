-- Every scored probe is described at both thresholds; the mean over unsolved probes is the share that is
-- expected of them where all have as many answers; and no interval is inside out.
with

by_probe as (

    select
        counts.scope,
        hardness.solve_threshold,
        hardness.n_answers,
        avg(hardness.mislabelled) as mislabelled,
    from {{ ref('hardness') }} as hardness
    join {{ ref('solve_counts') }} as counts using (probe_id, solve_threshold)
    group by counts.scope, hardness.solve_threshold, hardness.n_answers

)

select 'a share that is not the mean of its probes' as fault
from by_probe
join {{ ref('hardness_by_answers') }} as by_answers using (scope, solve_threshold, n_answers)
where abs(by_probe.mislabelled - by_answers.mislabelled) > 1e-5

union all

select 'a probe that is not described twice' as fault
from {{ ref('probe_scores') }} as scores
left join {{ ref('hardness') }} as hardness
    on scores.probe_id = hardness.probe_id and len(scores.scores) = hardness.n_answers
where scores.scores is not null
group by scores.probe_id
having count(hardness.probe_id) != 2

union all

select 'an interval that is inside out' as fault
from {{ ref('hardness_by_answers') }}
where mislabelled_low > mislabelled_high or re_solved_low > re_solved_high
