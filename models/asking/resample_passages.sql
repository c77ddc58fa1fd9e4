-- One row per suffix probe and resampled continuation of its split: the passage that is compared and, for
-- words and lenses, whether the atom recurs in it, at a comparable position as among siblings.
with

placed as (

    select
        probes.round_number,
        probes.probe_id,
        probes.scope,
        probes.is_written,
        resamples.source_model,
        resamples.prefix_hash,
        resamples.continuation_idx,
        resamples.continuation,
        resamples.sampling ->> 'finish_reason' = 'length' as was_stopped,
        -- The model was stopped before it could have reached the end of the passage.
        was_stopped and length(resamples.continuation) < probes.atom_end - probes.split_offset
            as was_cut,
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }}
            as atom_text,
        documents.text_length * settings.position_tolerance as farthest,
        greatest(0, floor(probes.atom_start - probes.split_offset - farthest))::bigint
            as window_start,
        least(
            length(resamples.continuation),
            ceil(probes.atom_end - probes.split_offset + farthest)
        )::bigint as window_end,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('resample_splits') }} as splits using (document_id, split_offset)
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('stg_resamples') }} as resamples
        on
            splits.source_model = resamples.source_model
            and splits.prefix_hash = resamples.prefix_hash
    where probes.target = 'suffix'

),

-- Starting at the split, like an answer; no word is cut.
cut as (

    select
        *,
        {{ word_end('continuation', 'window_end') }} as passage_length,
        left(continuation, passage_length) as passage,
        {{ text_between('continuation', 'window_start', 'window_end') }} as near,
    from placed

)

select
    round_number,
    probe_id,
    source_model,
    prefix_hash,
    continuation_idx,
    is_written,
    passage_length,
    md5(passage) as passage_hash,
    {{ is_blank('passage') }} as is_empty,
    was_cut,
    case
        when scope = 'lens'
            then starts_with({{ lens_text('continuation') }}, {{ lens_text('atom_text') }})
        when scope = 'word'
            then
                contains(
                    ' ' || array_to_string({{ words_of('near') }}, ' ') || ' ',
                    ' ' || array_to_string({{ words_of('atom_text') }}, ' ') || ' '
                )
    end as has_atom,
from cut
order by round_number, probe_id, continuation_idx
