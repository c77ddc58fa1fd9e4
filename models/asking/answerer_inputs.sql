-- One row per answerer request: what its prompt shows. For the runner.
{{ config(materialized='view') }}

select
    requests.request_id,
    requests.shown,
    {{ text_between('shown_documents.text', 'requests.excerpt_start', 'requests.excerpt_end') }} as excerpt,
    case
        when requests.shown = 'complement_and_atom'
            then
                {{ text_between('own_documents.text', 'probes.atom_start', 'probes.atom_end') }}
    end as atom_text,
    probes.target,
    requests.complement_was_cut,
    probes.verbalizer_prompt,
from {{ ref('answerer_requests') }} as requests
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as own_documents on probes.document_id = own_documents.document_id
left join {{ ref('documents') }} as shown_documents
    on requests.document_id = shown_documents.document_id
