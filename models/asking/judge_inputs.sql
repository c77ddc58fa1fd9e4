-- One row per judge request: what its prompt shows. Read by the runner.
{{ config(materialized='view') }}

select
    requests.request_id,
    requests.arm,
    probes.verbalizer_prompt,
    {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
    texts.text as answer,
from {{ ref('judge_requests') }} as requests
join {{ ref('texts_to_judge') }} as texts using (text_id)
join {{ ref('probes') }} as probes on requests.probe_id = probes.probe_id
join {{ ref('documents') }} as documents using (document_id)
