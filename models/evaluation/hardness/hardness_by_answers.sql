-- One row per scope, threshold and number of answers: the probes that none of that many answers solves.
with

expected as (

    select
        scope,
        solve_threshold,
        n_probes,
        n_documents,
        alpha,
        beta,
        unnest(by_answers, recursive := true),
    from {{ ref('solve_rates') }}

),

-- Share left unsolved by that many of the existing answers, averaged over all subsets.
observed as (

    select
        expected.scope,
        expected.solve_threshold,
        expected.n_answers,
        avg(
            case
                when counts.n_answers - counts.n_solved < expected.n_answers then 0
                else
                    exp(
                        lgamma(counts.n_answers - counts.n_solved + 1)
                        - lgamma(counts.n_answers - counts.n_solved - expected.n_answers + 1)
                        - lgamma(counts.n_answers + 1)
                        + lgamma(counts.n_answers - expected.n_answers + 1)
                    )
            end
        ) as unsolved,
    from expected
    join {{ ref('solve_counts') }} as counts
        on
            expected.scope = counts.scope
            and expected.solve_threshold = counts.solve_threshold
            and expected.n_answers <= counts.n_answers
    group by expected.scope, expected.solve_threshold, expected.n_answers

)

select
    expected.scope,
    expected.solve_threshold,
    expected.n_answers,
    expected.n_probes,
    expected.n_documents,
    {{ rounded('expected.unsolved') }} as unsolved,
    {{ rounded('observed.unsolved') }} as unsolved_observed,
    {{ rounded('beta_quantile(0.95::double, expected.alpha, expected.beta + expected.n_answers)') }}
        as solve_rate_p95,
    {{ rounded('expected.mislabelled') }} as mislabelled,
    {{ rounded('expected.mislabelled_low') }} as mislabelled_low,
    {{ rounded('expected.mislabelled_high') }} as mislabelled_high,
    {{ rounded('expected.re_solved') }} as re_solved,
    {{ rounded('expected.re_solved_low') }} as re_solved_low,
    {{ rounded('expected.re_solved_high') }} as re_solved_high,
from expected
left join observed using (scope, solve_threshold, n_answers)
order by expected.scope, expected.solve_threshold, expected.n_answers
