-- A document of one round is in no other round of the same source model.
select
    source_model,
    doc_id,
from {{ ref('round_documents') }}
group by source_model, doc_id
having count(*) > 1
