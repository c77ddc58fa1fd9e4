-- Bands add up to their scope, and scopes to all probes that were answered again.
select 'bands' as fault
from {{ ref('band_changes') }}
group by scope
having sum(n_probes) filter (where band = 'all') != sum(n_probes) filter (where band != 'all')

union all

select 'scopes' as fault
from {{ ref('band_changes') }}
where band = 'all'
having
    sum(n_probes) filter (where scope = 'all') is distinct from (
        select nullif(count(*), 0)
        from {{ ref('arm_pairs') }}
        where arm = 'held_out'
    )
    or sum(n_probes) filter (where scope = 'all') != sum(n_probes) filter (where scope != 'all')
    or count(*) filter (where n_hard + n_middle + n_easy != n_probes) > 0
