-- Bands add up to their scope, and scopes to all probes that were answered again.
select 'bands' as fault
from {{ ref('band_changes') }}
group by comparison, scope
having sum(n_probes) filter (where band = 'all') != sum(n_probes) filter (where band != 'all')

union all

select 'scopes' as fault
from
    (
        select
            'held_out' as comparison,
            count(*) as n_probes,
        from {{ ref('arm_pairs') }}
        where arm = 'held_out'
        union all
        select
            'retest' as comparison,
            count(distinct probe_id) as n_probes,
        from {{ ref('score_pairs') }}
        where comparison = 'retest'
    ) as compared
left join {{ ref('band_changes') }} as changes
    on compared.comparison = changes.comparison and changes.band = 'all'
group by compared.comparison, compared.n_probes
having
    coalesce(sum(changes.n_probes) filter (where changes.scope = 'all'), 0) != compared.n_probes
    or coalesce(sum(changes.n_probes) filter (where changes.scope != 'all'), 0) != compared.n_probes
    or count(*) filter (where changes.n_hard + changes.n_middle + changes.n_easy != changes.n_probes) > 0
