-- What is scored is in the group of its scope, the groups of a scope are its parts, and a method is as
-- much better than its text-only reader as the two figures say.
with

groups as (

    select
        method,
        measure,
        scope,
        sum(n_probes) filter (where target = 'all' and lens_length in ('none', 'pooled')) as n_all,
        sum(n_probes) filter (
            where target != 'all' and typicality = 'all' and lens_length in ('none', 'pooled')
        ) as n_by_target,
        sum(n_probes) filter (where target = 'all' and lens_length != 'pooled') as n_by_length,
    from {{ ref('contrast') }}
    group by method, measure, scope

),

scored as (

    select
        scores.model || ' (' || scores.dtype || '), ' || scores.form as method,
        probes.scope,
        count(*) as n_scored,
    from {{ ref('token_scores') }} as scores
    join {{ ref('probes') }} as probes using (probe_id)
    group by all

)

select method
from groups
full join scored using (method, scope)
where
    groups.n_all is distinct from scored.n_scored
    or groups.n_by_target is distinct from groups.n_all
    or groups.n_by_length is distinct from groups.n_all

union all

select method
from {{ ref('contrast') }}
where
    (n_text_only = n_probes and abs(accuracy - text_only_accuracy - difference) > 2e-6)
    or n_text_only > n_probes
    or accuracy_low > accuracy_high
    or auc not between 0 and 1
