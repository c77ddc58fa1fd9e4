-- One row per generator request: the inputs of its prompt, and the map of the ids in it.
-- For the runner, which reads the rows that it is about to send.
{{ config(materialized='view') }}

select
    requests.request_id,
    levels.addendum,
    -- With fewer other siblings, all of them.
    least(settings.typical_siblings, count(*) - 1) as typical_siblings,
    to_json(
        list(
            {
                'label': shown.label,
                'document_id': shown.document_id,
                'continuation_idx': shown.continuation_idx,
                'text_hash': shown.text_hash,
                'can_be_chosen': shown.can_be_chosen,
                'first_split': shown.first_split,
                'first_split_inside': shown.first_split_inside,
                'last_split': shown.last_split,
                'sentences': units.sentences,
                'paragraphs': units.paragraphs
            }
            order by shown.position
        )
    ) as unit_map,
    list(documents.text order by shown.position) as texts,
from {{ ref('generator_requests') }} as requests
join {{ ref('calibration_levels') }} as levels using (calibration_level)
join {{ ref('round_settings') }} as settings on requests.round_number = settings.round_number
join {{ ref('shown_documents') }} as shown
    on requests.round_number = shown.round_number and requests.doc_id = shown.doc_id
join {{ ref('documents') }} as documents using (document_id)
join {{ ref('document_units') }} as units using (document_id)
group by requests.request_id, levels.addendum, settings.typical_siblings
