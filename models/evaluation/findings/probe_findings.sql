-- One row per written probe and finding (automatic warning).
select
    measures.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    measures.probe_id,
    measures.finding,
    findings.severity,
    measures.value,
    findings.threshold,
from {{ ref('probe_measures') }} as measures
join {{ ref('findings') }} as findings using (finding)
join {{ ref('probes') }} as probes using (probe_id)
where measures.value >= findings.threshold
order by measures.round_number, probes.doc_id, probes.slot_idx, measures.finding
