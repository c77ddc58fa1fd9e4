-- No split is before the end of the shared prefix, so the source model wrote every suffix atom.
select
    probes.probe_id,
from {{ ref('probes') }} as probes
join {{ ref('documents') }} as documents using (document_id)
where
    probes.split_offset < documents.prefix_length
    or probes.target = 'suffix' and probes.atom_start < documents.prefix_length
