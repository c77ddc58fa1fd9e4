-- Each finding is counted once, every written probe was checked for each finding of its texts, and the
-- confusion table contains every audited probe.
select 'summary' as fault
from {{ ref('finding_summary') }}
where scope = 'all'
having coalesce(sum(n_found), 0) != (select count(*) from {{ ref('probe_findings') }})

union all

select 'scopes' as fault
from {{ ref('finding_summary') }}
group by finding
having
    sum(n_probes) filter (where scope = 'all') != sum(n_probes) filter (where scope != 'all')
    or sum(n_found) filter (where scope = 'all') != sum(n_found) filter (where scope != 'all')

union all

select 'looked at' as fault
from {{ ref('finding_summary') }}
group by scope
having min(n_findings) != count(*) or max(n_findings) != count(*)

union all

select 'confusion' as fault
from {{ ref('typicality_confusion') }}
having coalesce(sum(n_probes), 0) != (select count(*) from {{ ref('typicality_audits') }})

union all

select 'overlaps' as fault
from {{ ref('probe_overlaps') }}
having count(*) != (select count(*) from {{ ref('probes') }} where is_written)
