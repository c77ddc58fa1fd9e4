-- What a reader scored is compared; what is compared is in the group of its scope, the groups of a scope are
-- its parts, and a method is as much better than its text-only reader as the two figures say.
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
        sum(n_probes) filter (where typicality != 'all' and lens_length in ('none', 'pooled'))
            as n_by_typicality,
    from {{ ref('contrast') }}
    group by method, measure, scope

),

compared as (

    select
        method,
        measure,
        scope,
        count(*) as n_compared,
    from {{ ref('contrast_margins') }}
    group by method, measure, scope

)

select 'token_scores' as method
from {{ ref('contrast_margins') }}
where is_text_only and measure = 'total'
having count(*) != (select count(*) from {{ ref('token_scores') }})

union all

select method
from groups
full join compared using (method, measure, scope)
where
    groups.n_all is distinct from compared.n_compared
    or groups.n_by_target is distinct from groups.n_all
    or groups.n_by_length is distinct from groups.n_all
    or groups.n_by_typicality is distinct from groups.n_all

union all

select method
from {{ ref('contrast') }}
where
    (n_text_only = n_probes and abs(accuracy - text_only_accuracy - difference) > 2e-6)
    or n_text_only > n_probes
    or n_resampled > n_probes
    or resampled_accuracy not between resampled_accuracy_low and resampled_accuracy_high
    or accuracy_low > accuracy_high
    or auc not between 0 and 1
