-- A difference is that of the two estimates, the group of all holds every scored probe of its arm, and
-- the groups of a scope are its parts.
with

groups as (

    select
        arm,
        measure,
        sum(n_probes) filter (where scope = 'all') as n_all,
        sum(n_probes) filter (where scope != 'all' and target = 'all') as n_by_scope,
        sum(n_probes) filter (where target != 'all' and typicality = 'all') as n_by_target,
        sum(n_probes) filter (where typicality != 'all') as n_by_typicality,
    from {{ ref('arm_lift') }}
    group by arm, measure

),

scores_of_arms as (

    select
        scores.arm,
        count(*) as n_scored,
    from {{ ref('arm_scores') }} as scores
    join {{ ref('probe_scores') }} as complement using (probe_id)
    where scores.scores is not null and complement.scores is not null
    group by scores.arm

)

select groups.arm
from groups
full join scores_of_arms using (arm)
where
    groups.n_all is distinct from scores_of_arms.n_scored
    or groups.n_by_scope is distinct from groups.n_all
    or groups.n_by_target is distinct from groups.n_all
    or groups.n_by_typicality is distinct from groups.n_all

union all

select arm
from {{ ref('arm_lift') }}
where abs(estimate - complement_estimate - difference) > 2e-6 or estimate_low > estimate_high
