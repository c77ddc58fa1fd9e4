-- One row per finding and scope, and for all scopes together: the share of checked probes with the finding.
with

by_document as (

    select
        measures.finding,
        findings.severity,
        coalesce(probes.scope, 'all') as scope,
        probes.source_model,
        probes.doc_id,
        count(*) as n_probes,
        count(*) filter (where measures.value >= findings.threshold) as n_found,
    from {{ ref('probe_measures') }} as measures
    join {{ ref('findings') }} as findings using (finding)
    join {{ ref('probes') }} as probes using (probe_id)
    group by
        grouping sets (
            (measures.finding, severity, source_model, doc_id),
            (measures.finding, severity, source_model, doc_id, scope)
        )

),

summed as (

    select
        finding,
        severity,
        scope,
        sum(n_probes)::bigint as n_probes,
        sum(n_found)::bigint as n_found,
        count(*) as n_documents,
        sum(n_found) / sum(n_probes) as share,
        {{ share_interval('n_found', 'n_probes') }} as share_interval,
    from by_document
    group by finding, severity, scope

)

select
    * exclude (share, share_interval),
    count(*) over (partition by scope) as n_findings,
    {{ rounded('share') }} as share,
    {{ rounded('share_interval.low') }} as share_low,
    {{ rounded('share_interval.high') }} as share_high,
from summed
order by finding, scope
