-- One row per scope and threshold: how the solve rates of its probes are distributed, and what that
-- says of probes that no answer solves, by the number of answers.
with

counted as (

    select
        scope,
        solved_from,
        dense_rank() over (
            partition by scope, solved_from order by source_model, doc_id
        ) - 1 as document_number,
        n_answers,
        n_solved,
        count(*) as n_probes,
    from {{ ref('solve_counts') }}
    group by scope, solved_from, source_model, doc_id, n_answers, n_solved

),

fitted as (

    select
        scope,
        solved_from,
        sum(n_probes)::bigint as n_probes,
        count(distinct document_number) as n_documents,
        solve_rates(
            list(
                [document_number, n_answers, n_solved, n_probes]::double[]
                order by document_number, n_answers, n_solved
            ),
            {{ var('highest_hard_rate') }},
            {{ var('most_answers_compared') }},
            {{ var('bootstrap_replicates') }},
            {{ var('bootstrap_seed') }}
        ) as rates,
    from counted
    group by scope, solved_from

)

select
    scope,
    solved_from,
    n_probes,
    n_documents,
    -- Neither is ever 0: that would be no distribution.
    greatest({{ figure('rates.alpha') }}, 1e-6) as alpha,
    greatest({{ figure('rates.beta') }}, 1e-6) as beta,
    rates.by_answers,
from fitted
order by scope, solved_from
