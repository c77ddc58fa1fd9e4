-- Every probe that a method had to answer is scored or waits for its judge, groups add up to their total,
-- the lift of the text-only baseline is 0, and a headline is the smaller effect on the same probes.
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
        sum(n_probes) filter (where scope = 'all' and target = 'all') as n_all,
        sum(n_probes) filter (where scope = 'all' and target != 'all') as n_by_target,
        sum(n_probes) filter (where scope in ('sentence', 'paragraph', 'whole') and target = 'all')
            as n_by_scope,
    from {{ ref('oracle_scores') }}
    where typicality = 'all' and fold = 'all' and band = 'all'
    group by oracle, condition

),

by_typicality as (

    select
        oracle,
        condition,
        scope,
        target,
        sum(n_probes) filter (where typicality = 'all') as n_probes,
        sum(n_probes) filter (where typicality != 'all') as n_by_typicality,
    from {{ ref('oracle_scores') }}
    where scope != 'all' and target != 'all' and fold = 'all' and band = 'all'
    group by oracle, condition, scope, target

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
    or found.n_by_target is distinct from found.n_all

union all

select
    oracle,
    condition,
    'typicality' as fault,
from by_typicality
where n_by_typicality is distinct from n_probes

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
where scope = 'all' and typicality = 'all'
group by oracle, condition, target, fold
having
    sum(n_scored) filter (where band = 'all') < sum(n_scored) filter (where band != 'all')

union all

select
    board.oracle,
    effects.condition,
    'headline' as fault,
from {{ ref('oracle_leaderboard') }} as board
join {{ ref('oracle_state_effects') }} as effects using (oracle, scope, target, fold)
where
    effects.band = 'hard'
    and (
        board.headline > effects.difference
        or board.headline_low > effects.difference_low
        or board.headline_high > effects.difference_high
        or board.headline_low > board.headline_high
    )

union all

select
    oracle,
    null as condition,
    'places' as fault,
from {{ ref('oracle_leaderboard') }}
where place > n_compared + 1 or n_pairs < n_compared
