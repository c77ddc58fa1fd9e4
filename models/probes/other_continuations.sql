-- One row per chosen document and other landed continuation of its prefix, shown to the generator or not.
-- It is named, not copied: its text after the shared beginning is `continuation` of `stg_rollouts`.
select
    chosen.round_number,
    chosen.doc_id,
    chosen.document_id,
    rollouts.document_id as other_document_id,
    rollouts.continuation_idx as other_continuation_idx,
    chosen.prefix_length,
    shown.document_id is not null as is_shown,
from {{ ref('chosen_documents') }} as chosen
join {{ ref('round_settings') }} as settings using (round_number)
join {{ ref('stg_rollouts') }} as rollouts
    on
        settings.source_model = rollouts.source_model
        and chosen.doc_id = rollouts.doc_id
        and chosen.document_id != rollouts.document_id
left join {{ ref('shown_documents') }} as shown
    on
        chosen.round_number = shown.round_number
        and chosen.doc_id = shown.doc_id
        and rollouts.document_id = shown.document_id
order by chosen.round_number, chosen.doc_id, rollouts.continuation_idx
