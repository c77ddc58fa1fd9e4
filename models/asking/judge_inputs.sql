-- One row per judge request: what its prompt shows. For the runner.
{{ config(materialized='view') }}

select
    requests.request_id,
    requests.arm,
    probes.verbalizer_prompt,
    {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
    coalesce(
        answers.text,
        anchors.answer,
        oracles.answer,
        left(resamples.continuation, passages.passage_length)
    ) as answer,
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
left join {{ ref('resample_passages') }} as passages
    on
        requests.arm = 'resample'
        and requests.probe_id = passages.probe_id
        and requests.answer_number = passages.continuation_idx + 1
left join {{ ref('stg_resamples') }} as resamples
    on
        passages.source_model = resamples.source_model
        and passages.prefix_hash = resamples.prefix_hash
        and passages.continuation_idx = resamples.continuation_idx
