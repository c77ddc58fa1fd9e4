-- One row per scope and reason: written probes without scores.
select
    unscored_reason,
    scope,
    count(*) as n_probes,
from {{ ref('unscored') }}
group by unscored_reason, scope
order by n_probes desc, unscored_reason, scope
