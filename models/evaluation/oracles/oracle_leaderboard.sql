-- One row per method and condition, best first: its lift on HARD probes and, as a sanity check, its score
-- on EASY probes.
with

hard as (

    select *
    from {{ ref('oracle_scores') }}
    where scope = 'all' and band = 'hard'

),

easy as (

    select *
    from {{ ref('oracle_scores') }}
    where scope = 'all' and band = 'easy'

),

together as (

    select *
    from {{ ref('oracle_scores') }}
    where scope = 'all' and band = 'all'

)

select
    row_number() over (
        order by hard.lift desc nulls last, together.oracle, together.condition
    ) as place,
    together.oracle,
    together.condition,
    together.n_probes,
    together.n_missing,
    together.n_probes - together.n_scored as n_unscored,
    hard.n_probes as n_hard,
    hard.score_mean as hard_score,
    hard.lift as hard_lift,
    hard.lift_low as hard_lift_low,
    hard.lift_high as hard_lift_high,
    easy.n_probes as n_easy,
    easy.score_mean as easy_score,
from together
left join hard using (oracle, condition)
left join easy using (oracle, condition)
order by place
