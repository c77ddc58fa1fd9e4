-- One row per started round, except those of a calibration: its settings and results.
{{ config(materialized='view') }}

with

documents as (

    select
        round_number,
        count(*) as n_documents,
    from {{ ref('round_documents') }}
    group by round_number

),

probes as (

    select
        round_number,
        count(*) as n_probes,
        count(distinct doc_id) as n_probed_documents,
    from {{ ref('probes') }}
    group by round_number

),

tokenizers as (

    select
        probed.round_number,
        any_value(tokens.tokenizer_version) as tokenizer_version,
    from {{ ref('probed_documents') }} as probed
    join {{ ref('document_tokens') }} as tokens using (document_id)
    group by probed.round_number

)

select
    settings.round_number,
    settings.state,
    settings.source_model,
    settings.seed,
    settings.n_docs as n_documents_wanted,
    coalesce(documents.n_documents, 0) as n_documents,
    coalesce(probes.n_probed_documents, 0) as n_probed_documents,
    coalesce(probes.n_probes, 0) as n_probes,
    settings.calibration_level,
    settings.n_answers,
    settings.generator_model,
    settings.answerer_model,
    settings.judge_model,
    {% for name in frozen_settings() -%}
    settings.{{ name }},
    {% endfor -%}
    tokenizers.tokenizer_version,
from {{ ref('round_settings') }} as settings
left join documents using (round_number)
left join probes using (round_number)
left join tokenizers using (round_number)
where settings.started_at is not null and not settings.is_calibration
