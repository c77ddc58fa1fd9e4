-- One row per round and arm: the number of probes to ask, and the progress.
with

written as (

    select
        round_number,
        count(*) as n_probes,
        count(*) filter (where complement_was_cut) as n_cut,
    from {{ ref('probe_scores') }}
    group by round_number

),

asked as (

    select
        round_number,
        arm,
        count(*) as n_asked,
        sum(n_answers)::bigint as n_answers_asked,
        sum(n_answered)::bigint as n_answered,
        count(scores) as n_scored,
    from {{ ref('arm_scores') }}
    group by round_number, arm

)

select
    arms.round_number,
    arms.arm,
    arms.answerer_model,
    arms.share,
    arms.n_answers,
    coalesce(if(arms.arm = 'full_complement', written.n_cut, written.n_probes), 0) as n_eligible,
    coalesce(asked.n_asked, 0) as n_asked,
    coalesce(asked.n_answers_asked, 0) as n_answers_asked,
    coalesce(asked.n_answered, 0) as n_answered,
    coalesce(asked.n_scored, 0) as n_scored,
from {{ ref('round_arms') }} as arms
left join written using (round_number)
left join asked using (round_number, arm)
order by arms.round_number, arms.arm
