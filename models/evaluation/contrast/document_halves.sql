-- One row per document with probes: its half, 1 or 2. What is chosen or fitted on one half is reported on
-- the other. Near duplicates are in the same half, and further documents change nobody's.
with

documents as (

    select distinct
        probes.source_model,
        probes.doc_id,
        -- Documents of a calibration have no fold.
        coalesce(folds.cluster, probes.doc_id) as cluster,
    from {{ ref('probes') }} as probes
    left join {{ ref('folds') }} as folds using (source_model, doc_id)

)

select
    source_model,
    doc_id,
    cluster,
    {{ seeded_integer(["'halves'", 'cluster']) }} % 2 + 1 as half,
from documents
order by source_model, doc_id
