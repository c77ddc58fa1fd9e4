-- One row per probe and condition with a state: the document that is read, and the split at which its state
-- is taken. For `ask-oracle`.
{{ config(materialized='view') }}

with

own as (

    select
        probes.round_number,
        probes.probe_id,
        probes.document_id,
        probes.target,
        if(probes.target = 'suffix', probes.complement_end, probes.complement_start) as split_offset,
        probes.complement_end - probes.complement_start as complement_length,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    where not settings.is_calibration

)

select
    round_number,
    probe_id,
    'real_state' as condition,
    document_id,
    split_offset,
from own

union all

select
    own.round_number,
    own.probe_id,
    'other_document_state' as condition,
    others.document_id,
    {{ other_split('own.target', 'documents.text', 'others.text_length', 'own.complement_length') }}
        as split_offset,
from own
join {{ ref('other_documents') }} as others using (round_number, probe_id)
join {{ ref('documents') }} as documents on others.document_id = documents.document_id
