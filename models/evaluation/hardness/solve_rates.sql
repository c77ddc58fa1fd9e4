-- One row per scope and threshold: the fitted distribution of solve rates, and what it implies for probes
-- that no answer solves, by number of answers.
with

counted as (

    select
        scope,
        solve_threshold,
        dense_rank() over (
            partition by scope, solve_threshold order by source_model, doc_id
        ) - 1 as document_number,
        n_answers,
        n_solved,
        count(*) as n_probes,
    from {{ ref('solve_counts') }}
    group by scope, solve_threshold, source_model, doc_id, n_answers, n_solved

),

fitted as (

    select
        scope,
        solve_threshold,
        sum(n_probes)::bigint as n_probes,
        count(distinct document_number) as n_documents,
        solve_rates(
            list(
                [document_number, n_answers, n_solved, n_probes]::double[]
                order by document_number, n_answers, n_solved
            ),
            {{ var('max_hard_solve_rate') }},
            {{ var('max_projected_answers') }},
            {{ var('bootstrap_replicates') }},
            {{ var('bootstrap_seed') }}
        ) as rates,
    from counted
    group by scope, solve_threshold

)

select
    scope,
    solve_threshold,
    n_probes,
    n_documents,
    -- Both parameters must be positive.
    greatest({{ rounded('rates.alpha') }}, 1e-6) as alpha,
    greatest({{ rounded('rates.beta') }}, 1e-6) as beta,
    rates.by_answers,
from fitted
order by scope, solve_threshold
