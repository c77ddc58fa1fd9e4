-- One row per document of a round: frozen if the round has started, otherwise proposed.
-- `continuation_idxs` are the siblings that its request shows as documents, in the order shown, and
-- `kept_lengths` the number of code points shown of each; `further_idxs` and `further_lengths` are
-- those shown for comparison alone, of which `further_kept_lengths` are kept.
with

placed as (

    select
        drawn.round_number,
        drawn.source_model,
        drawn.doc_id,
        rollouts.continuation_idx,
        rollouts.kept_length,
        settings.siblings_shown,
        settings.further_siblings,
        settings.further_characters,
        row_number() over (
            partition by drawn.round_number, drawn.doc_id
            order by {{ identity(['settings.seed', 'drawn.doc_id', 'rollouts.continuation_idx']) }}
        ) as position,
    from {{ ref('drawn_documents') }} as drawn
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('rollout_eligibility') }} as rollouts
        on drawn.source_model = rollouts.source_model and drawn.doc_id = rollouts.doc_id
    where rollouts.exclusion_reason is null

),

shown as (

    select
        placed.*,
        placed.position > placed.siblings_shown as is_further,
        case
            when not is_further or placed.kept_length <= placed.further_characters then placed.kept_length
            else {{ word_end('rollouts.continuation', 'placed.further_characters') }}
        end as shown_length,
    from placed
    join {{ ref('stg_rollouts') }} as rollouts using (source_model, doc_id, continuation_idx)
    where placed.position <= placed.siblings_shown + placed.further_siblings

),

listed as (

    select
        round_number,
        doc_id,
        continuation_idxs,
        kept_lengths,
        further_idxs,
        further_lengths,
        further_kept_lengths,
        true as is_frozen,
    from {{ ref('stg_started_round_documents') }}

    union all by name

    select
        round_number,
        doc_id,
        list(continuation_idx order by position) filter (where not is_further) as continuation_idxs,
        list(shown_length order by position) filter (where not is_further) as kept_lengths,
        coalesce(list(continuation_idx order by position) filter (where is_further), []) as further_idxs,
        coalesce(list(shown_length order by position) filter (where is_further), []) as further_lengths,
        coalesce(list(kept_length order by position) filter (where is_further), []) as further_kept_lengths,
        false as is_frozen,
    from shown
    group by round_number, doc_id

)

select
    listed.round_number,
    settings.source_model,
    listed.doc_id,
    listed.continuation_idxs,
    listed.kept_lengths,
    listed.further_idxs,
    listed.further_lengths,
    listed.further_kept_lengths,
    {{ seeded_integer(['settings.seed', 'listed.doc_id']) }} as row_seed,
    listed.is_frozen,
from listed
join {{ ref('round_settings') }} as settings using (round_number)
order by listed.round_number, listed.doc_id
