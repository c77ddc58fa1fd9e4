-- One row per answerer request: what its prompt shows. For the runner.
{{ config(materialized='view') }}

select
    requests.request_id,
    substr(
        documents.text,
        requests.excerpt_start + 1,
        requests.excerpt_end - requests.excerpt_start
    ) as excerpt,
    probes.target,
    requests.complement_was_cut,
    probes.verbalizer_prompt,
from {{ ref('answerer_requests') }} as requests
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as documents on requests.document_id = documents.document_id
