-- One row per published probe, if its round has several documents: another one of them, and where it is cut.
{{ config(materialized='view') }}

select
    states.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    states.probe_id,
    documents.doc_id as other_doc_id,
    documents.continuation_idx as other_doc_idx,
    states.split_offset as other_split_char_offset,
from {{ ref('oracle_states') }} as states
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('documents') }} as documents on states.document_id = documents.document_id
where
    states.condition = 'other_document_state'
    and states.round_number in (select round_number from {{ ref('published_rounds') }})
