-- One row per document with probes: its half, 1 or 2. What is chosen or fitted on one half is reported on
-- the other. Near duplicates are in the same half.
with

documents as (

    select distinct
        probes.source_model,
        probes.doc_id,
        -- Documents of a calibration have no fold.
        coalesce(folds.cluster, probes.doc_id) as cluster,
    from {{ ref('probes') }} as probes
    left join {{ ref('folds') }} as folds using (source_model, doc_id)

),

clusters as (

    select
        cluster,
        row_number() over (order by {{ identity(["'halves'", 'cluster']) }}) % 2 + 1 as half,
    from documents
    group by cluster

)

select
    documents.source_model,
    documents.doc_id,
    documents.cluster,
    clusters.half,
from documents
join clusters using (cluster)
order by documents.source_model, documents.doc_id
