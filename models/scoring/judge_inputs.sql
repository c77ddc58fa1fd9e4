-- One row per judge request: what its prompt shows. For the runner.
{{ config(materialized='view') }}

select
    requests.request_id,
    probes.verbalizer_prompt,
    substr(
        documents.text, probes.atom_start + 1, probes.atom_end - probes.atom_start
    ) as atom_text,
    coalesce(answers.text, anchors.answer, oracles.answer) as answer,
from {{ ref('judge_requests') }} as requests
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as documents using (document_id)
left join {{ ref('responses') }} as answers
    on
        requests.answer_request_id = answers.request_id
        and requests.answer_attempt = answers.attempt
left join {{ ref('anchor_answers') }} as anchors
    on requests.probe_id = anchors.probe_id and requests.anchor = anchors.anchor
left join {{ ref('oracle_texts') }} as oracles
    on
        requests.probe_id = oracles.probe_id
        and requests.oracle_answer_hash = oracles.answer_hash
