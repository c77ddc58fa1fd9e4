-- One row per document of a round: frozen if the round has started, otherwise proposed.
-- `continuation_idxs` are the siblings that its request shows, in the order shown, and `kept_lengths` the
-- number of code points shown of each.
with

eligible as (

    select
        drawn.round_number,
        drawn.doc_id,
        rollouts.continuation_idx,
        rollouts.kept_length,
        settings.siblings_shown,
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

listed as (

    select
        round_number,
        doc_id,
        continuation_idxs,
        kept_lengths,
        true as is_frozen,
    from {{ ref('stg_started_round_documents') }}

    union all by name

    select
        round_number,
        doc_id,
        list(continuation_idx order by position) as continuation_idxs,
        list(kept_length order by position) as kept_lengths,
        false as is_frozen,
    from eligible
    where position <= siblings_shown
    group by round_number, doc_id

)

select
    listed.round_number,
    settings.source_model,
    listed.doc_id,
    listed.continuation_idxs,
    listed.kept_lengths,
    {{ seeded_integer(['settings.seed', 'listed.doc_id']) }} as row_seed,
    listed.is_frozen,
from listed
join {{ ref('round_settings') }} as settings using (round_number)
order by listed.round_number, listed.doc_id
