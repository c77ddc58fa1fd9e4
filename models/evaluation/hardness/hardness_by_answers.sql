-- One row per scope, threshold and number of answers: the probes that none of so many answers solves.
with

expected as (

    select
        scope,
        solved_from,
        n_probes,
        n_documents,
        alpha,
        beta,
        unnest(by_answers, recursive := true),
    from {{ ref('solve_rates') }}

),

-- What so many of the answers that there are would have left unsolved, on average over all choices.
observed as (

    select
        expected.scope,
        expected.solved_from,
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
            and expected.solved_from = counts.solved_from
            and expected.n_answers <= counts.n_answers
    group by expected.scope, expected.solved_from, expected.n_answers

)

select
    expected.scope,
    expected.solved_from,
    expected.n_answers,
    expected.n_probes,
    expected.n_documents,
    {{ figure('expected.unsolved') }} as unsolved,
    {{ figure('observed.unsolved') }} as unsolved_observed,
    {{ figure('beta_quantile(0.95::double, expected.alpha, expected.beta + expected.n_answers)') }}
        as solve_rate_below,
    {{ figure('expected.mislabelled') }} as mislabelled,
    {{ figure('expected.mislabelled_low') }} as mislabelled_low,
    {{ figure('expected.mislabelled_high') }} as mislabelled_high,
    {{ figure('expected.solved_anew') }} as solved_anew,
    {{ figure('expected.solved_anew_low') }} as solved_anew_low,
    {{ figure('expected.solved_anew_high') }} as solved_anew_high,
from expected
left join observed using (scope, solved_from, n_answers)
order by expected.scope, expected.solved_from, expected.n_answers
