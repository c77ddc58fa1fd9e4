-- One row per scored probe and threshold: the estimate of its solve rate, given its answers.
with

-- One row per possible number of solving answers.
posteriors as (

    select
        counts.scope,
        counts.solve_threshold,
        counts.n_answers,
        counts.n_solved,
        rates.alpha + counts.n_solved as alpha,
        rates.beta + counts.n_answers - counts.n_solved as beta,
    from (
        select distinct scope, solve_threshold, n_answers, n_solved from {{ ref('solve_counts') }}
    ) as counts
    join {{ ref('solve_rates') }} as rates using (scope, solve_threshold)

),

described as (

    select
        * exclude (alpha, beta),
        {{ rounded('alpha / (alpha + beta)') }} as solve_rate,
        {{ rounded('beta_quantile(0.025::double, alpha, beta)') }} as solve_rate_low,
        {{ rounded('beta_quantile(0.975::double, alpha, beta)') }} as solve_rate_high,
        case
            when n_solved = 0
                then
                    {{
                        rounded(
                            'beta_share_above(' ~ var('max_hard_solve_rate') ~ '::double, alpha, beta)'
                        )
                    }}
        end as mislabelled,
    from posteriors

)

select
    counts.round_number,
    counts.probe_id,
    counts.solve_threshold,
    counts.n_answers,
    counts.n_solved,
    described.solve_rate,
    described.solve_rate_low,
    described.solve_rate_high,
    described.mislabelled,
from {{ ref('solve_counts') }} as counts
join described using (scope, solve_threshold, n_answers, n_solved)
order by counts.round_number, counts.probe_id, counts.solve_threshold
