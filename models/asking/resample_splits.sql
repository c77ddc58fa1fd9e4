-- One row per document and split with suffix probes, from which the source model can be resampled.
select distinct
    probes.source_model,
    probes.doc_id,
    probes.document_id,
    probes.split_offset,
    md5(left(documents.text, probes.split_offset)) as prefix_hash,
from {{ ref('probes') }} as probes
join {{ ref('documents') }} as documents using (document_id)
where probes.target = 'suffix'
order by probes.source_model, probes.doc_id, probes.split_offset
