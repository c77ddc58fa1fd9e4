-- Probes that all of their answers leave unsolved are those that none solves; what new answers do not solve
-- is left of what some leave unsolved; against as many held-out answers it is what changes its band; and no
-- interval is inside out.
with

by_all_answers as (

    select
        scope,
        solve_threshold,
        n_answers,
        count(*) as n_probes,
        avg((n_solved = 0)::integer) as unsolved,
    from {{ ref('solve_counts') }}
    group by scope, solve_threshold, n_answers

)

select 'a share that is not that of the counts' as fault
from by_all_answers as counted
full join
    (
        from {{ ref('hardness_by_answers') }}
        where scope != 'all' and new_answers = 'published' and n_new_answers = 0
    ) as by_answers
    using (scope, solve_threshold, n_answers)
where
    counted.n_probes is distinct from by_answers.n_probes
    or abs(counted.unsolved - by_answers.unsolved) > 1e-5

union all

select 'answers that do not add up' as fault
from {{ ref('hardness_by_answers') }} as part
join {{ ref('hardness_by_answers') }} as all_of_them
    on
        part.scope = all_of_them.scope
        and part.solve_threshold = all_of_them.solve_threshold
        and part.n_answers + part.n_new_answers = all_of_them.n_answers
where
    part.new_answers = 'published'
    and all_of_them.new_answers = 'published'
    and all_of_them.n_new_answers = 0
    and abs(part.unsolved * (1 - part.re_solved) - all_of_them.unsolved) > 1e-5

union all

select 'bands that do not change as often' as fault
from {{ ref('band_changes') }} as changes
left join
    (
        select
            scope,
            sum(re_solved * unsolved * n_probes) / sum(unsolved * n_probes) as re_solved,
        from {{ ref('hardness_by_answers') }}
        where
            new_answers = 'held_out'
            and solve_threshold = (select min(solve_threshold) from {{ ref('solve_counts') }})
        group by scope
    ) as by_answers
    using (scope)
where
    changes.comparison = 'held_out'
    and changes.band = 'hard'
    -- With fewer new answers than published ones, bands are compared by fewer.
    and not exists (
        select 1 from {{ ref('arm_pairs') }} where arm = 'held_out' and n_compared != n_published
    )
    and (by_answers.re_solved is null or abs(changes.changed - by_answers.re_solved) > 1e-5)

union all

select 'an interval that is inside out' as fault
from {{ ref('hardness_by_answers') }}
where re_solved_low > re_solved_high or unsolved_low > unsolved_high
