-- One row per continuation that a generator request shows: its place, settings and tokens and, if it is shown
-- for comparison alone, the part that is shown. The others are `documents`.
with

listed as (

    select
        round_number,
        source_model,
        doc_id,
        unnest(list_concat(continuation_idxs, further_idxs)) as continuation_idx,
        unnest(list_concat(kept_lengths, further_lengths)) as shown_length,
        generate_subscripts(list_concat(continuation_idxs, further_idxs), 1) as position,
        position > len(continuation_idxs) as is_further,
    from {{ ref('round_documents') }}

)

select
    listed.round_number,
    listed.source_model,
    listed.doc_id,
    listed.position,
    listed.continuation_idx,
    rollouts.document_id,
    listed.is_further,
    if(listed.is_further, left(rollouts.continuation, listed.shown_length), null) as further_text,
    rollouts.prefix_tokens,
    rollouts.continuation_tokens,
    rollouts.sampling,
from listed
join {{ ref('stg_rollouts') }} as rollouts using (source_model, doc_id, continuation_idx)
order by listed.round_number, listed.doc_id, listed.position
