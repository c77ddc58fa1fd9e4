-- One row per suffix probe and resampled continuation of its split: the passage that is compared and, for
-- words and lenses, whether the atom recurs in it, at a comparable position as among siblings.
with

placed as (

    select
        *,
        -- The model was stopped before it could have reached the end of the passage.
        was_stopped and length(continuation) < atom_ends_after as was_cut,
        greatest(0, floor(atom_starts_after - farthest))::bigint as window_start,
        least(length(continuation), ceil(atom_ends_after + farthest))::bigint as window_end,
    from {{ ref('resampled_probes') }}

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
