-- One row per suffix probe and resampled continuation of its split, with the texts that are compared.
{{ config(materialized='view') }}

select
    probes.round_number,
    probes.probe_id,
    probes.scope,
    probes.is_written,
    probes.signed_index as n,
    probes.atom_start - probes.split_offset as atom_starts_after,
    probes.atom_end - probes.split_offset as atom_ends_after,
    {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
    documents.text_length * settings.position_tolerance as farthest,
    settings.tokenizer,
    resamples.source_model,
    resamples.prefix_hash,
    resamples.continuation_idx,
    resamples.continuation,
    resamples.sampling ->> 'finish_reason' = 'length' as was_stopped,
from {{ ref('probes') }} as probes
join {{ ref('round_settings') }} as settings using (round_number)
join {{ ref('resample_splits') }} as splits using (document_id, split_offset)
join {{ ref('documents') }} as documents using (document_id)
join {{ ref('stg_resamples') }} as resamples
    on
        splits.source_model = resamples.source_model
        and splits.prefix_hash = resamples.prefix_hash
where probes.target = 'suffix'
