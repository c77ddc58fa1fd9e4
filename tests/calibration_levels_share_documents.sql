-- Every level of a calibration has the documents that were set apart, and shows the same of them.
select
    documents.source_model,
    documents.doc_id,
from {{ ref('stg_calibration_documents') }} as documents
cross join {{ ref('stg_calibration_rounds') }} as levels
left join {{ ref('round_documents') }} as shown
    on
        levels.round_number = shown.round_number
        and documents.source_model = shown.source_model
        and documents.doc_id = shown.doc_id
where documents.source_model = levels.source_model
group by documents.source_model, documents.doc_id
having
    count(*) != count(shown.doc_id)
    or count(distinct shown.continuation_idxs) != 1
    or count(distinct shown.kept_lengths) != 1
