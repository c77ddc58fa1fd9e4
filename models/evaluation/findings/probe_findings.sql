-- One row per written probe and finding (automatic warning).
select
    measures.round_number,
    measures.probe_id,
    measures.finding,
    findings.severity,
    measures.value,
    findings.threshold,
from {{ ref('probe_measures') }} as measures
join {{ ref('findings') }} as findings using (finding)
where measures.value >= findings.threshold
order by measures.round_number, measures.probe_id, measures.finding
