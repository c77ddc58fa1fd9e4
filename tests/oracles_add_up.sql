-- Every probe that a method had to answer is scored or waits for its judge, groups add up to their total,
-- and the lift of the text-only baseline is 0.
with

expected as (

    select
        oracle,
        condition,
        count(*) filter (where is_written) as n_written,
    from {{ ref('oracle_questions') }}
    group by oracle, condition

),

found as (

    select
        oracle,
        condition,
        sum(n_probes) filter (where scope = 'all' and band = 'all') as n_all,
        sum(n_probes) filter (
            where scope in ('sentence', 'paragraph', 'whole') and target = 'all' and band = 'all'
        ) as n_by_scope,
    from {{ ref('oracle_scores') }}
    group by oracle, condition

)

select
    oracle,
    condition,
    'probes' as fault,
from expected
full join found using (oracle, condition)
where
    oracle != 'text-only answerer' and expected.n_written is distinct from coalesce(found.n_all, 0)
    or found.n_by_scope is distinct from found.n_all

union all

select
    oracle,
    condition,
    'lift' as fault,
from {{ ref('oracle_scores') }}
where
    oracle = 'text-only answerer' and lift != 0
    or lift_low > lift_high
    -- What was not compared has no lift; NaN would be the greatest.
    or isnan(lift)
    or isnan(score_mean)
    or isnan(contrast_accuracy)

union all

select
    oracle,
    condition,
    'bands' as fault,
from {{ ref('oracle_scores') }}
where scope = 'all'
group by oracle, condition
having
    sum(n_scored) filter (where band = 'all') < sum(n_scored) filter (where band != 'all')
