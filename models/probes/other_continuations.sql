-- One row per chosen document and other continuation of its prefix that had landed when its round started.
-- It is named, not copied: its text after the shared beginning is `continuation` of `stg_rollouts`.
select
    chosen.round_number,
    chosen.doc_id,
    chosen.document_id,
    rollouts.document_id as other_document_id,
    rollouts.continuation_idx as other_continuation_idx,
    chosen.prefix_length,
    list_concat(shown.kept_lengths, shown.further_kept_lengths)[
        list_position(
            list_concat(shown.continuation_idxs, shown.further_idxs), rollouts.continuation_idx
        )
    ] as kept_length,
    kept_length is not null as is_shown,
from {{ ref('chosen_documents') }} as chosen
join {{ ref('round_settings') }} as settings using (round_number)
join {{ ref('round_documents') }} as shown
    on chosen.round_number = shown.round_number and chosen.doc_id = shown.doc_id
join {{ ref('stg_rollouts') }} as rollouts
    on
        settings.source_model = rollouts.source_model
        and chosen.doc_id = rollouts.doc_id
        and chosen.document_id != rollouts.document_id
-- What lands later changes no probe of the round.
where settings.started_at is null or rollouts.landed_at <= settings.started_at or is_shown
order by chosen.round_number, chosen.doc_id, rollouts.continuation_idx
