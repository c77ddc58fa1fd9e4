-- A document of one round is in no other round of the same source model, but for the levels of a
-- calibration; and what is set apart for that is in no round.
select
    source_model,
    doc_id,
from {{ ref('round_documents') }}
anti join {{ ref('stg_calibration_rounds') }} using (round_number)
group by source_model, doc_id
having count(*) > 1

union all

select
    documents.source_model,
    documents.doc_id,
from {{ ref('round_documents') }} as documents
semi join {{ ref('stg_calibration_documents') }} as apart
    on documents.source_model = apart.source_model and documents.doc_id = apart.doc_id
anti join {{ ref('stg_calibration_rounds') }} as levels
    on documents.round_number = levels.round_number
