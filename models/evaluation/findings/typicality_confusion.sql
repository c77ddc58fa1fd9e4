-- One row per scope, claimed and measured typicality: probes, by what the generator was shown and by all.
select
    audits.round_number,
    probes.scope,
    audits.claimed,
    audits.measured_as_shown,
    audits.measured,
    count(*) as n_probes,
    sum(audits.n_recurring)::bigint as n_recurring,
    sum(audits.n_siblings)::bigint as n_siblings,
from {{ ref('sibling_audits') }} as audits
join {{ ref('probes') }} as probes using (probe_id)
group by
    audits.round_number, probes.scope, audits.claimed, audits.measured_as_shown, audits.measured
order by
    audits.round_number, probes.scope, audits.claimed, audits.measured_as_shown, audits.measured
