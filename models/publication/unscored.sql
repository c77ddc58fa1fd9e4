-- One row per published probe whose scores are missing, with the reason.
{{ config(materialized='view') }}

select
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    probes.scope,
    scores.unscored_reason,
from {{ ref('probe_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('published_rounds') }} as rounds on probes.round_number = rounds.round_number
where scores.unscored_reason is not null
