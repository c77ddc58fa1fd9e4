-- One row per round, scope, claimed and measured typicality: the number of probes.
select
    audits.round_number,
    probes.scope,
    audits.claimed_typicality,
    coalesce(audits.measured_as_shown, 'not compared') as measured_as_shown,
    audits.measured_typicality,
    count(*) as n_probes,
    sum(audits.n_recurring)::bigint as n_recurring,
    sum(audits.n_siblings)::bigint as n_siblings,
from {{ ref('typicality_audits') }} as audits
join {{ ref('probes') }} as probes using (probe_id)
group by all
order by 1, 2, 3, 4, 5
