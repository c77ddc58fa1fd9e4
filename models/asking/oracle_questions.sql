-- One row per method, condition and probe to answer: all published probes of the documents and scopes
-- in which the method answered any. Omitted probes are included, so that they count.
with

answered as (

    select distinct
        answers.oracle,
        answers.condition,
        probes.source_model,
        probes.doc_id,
        probes.scope,
    from {{ ref('stg_oracle_answers') }} as answers
    join {{ ref('probes') }} as probes using (probe_id)

),

documents as (

    select distinct oracle, condition, source_model, doc_id from answered

),

scopes as (

    select distinct oracle, condition, scope from answered

)

select
    documents.oracle,
    documents.condition,
    probes.round_number,
    probes.probe_id,
    probes.is_written,
from documents
join scopes using (oracle, condition)
join {{ ref('probes') }} as probes
    on
        documents.source_model = probes.source_model
        and documents.doc_id = probes.doc_id
        and scopes.scope = probes.scope
join {{ ref('round_settings') }} as settings
    on probes.round_number = settings.round_number and not settings.is_calibration
order by documents.oracle, documents.condition, probes.round_number, probes.probe_id
