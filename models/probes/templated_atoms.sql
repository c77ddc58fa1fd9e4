-- One row per word or lens slot of a chosen document: the atom drawn for it, or why there is none.
with

candidates as (

    select * from {{ ref('word_candidates') }}
    union all by name
    select * from {{ ref('lens_candidates') }}

),

-- Materialized: the windows would carry the complete text of each document with every candidate.
written as materialized (

    select
        candidates.* exclude (atom_text, letter_case),
        replace(templates.template, '{n}', candidates.n::varchar) as verbalizer_prompt,
        coalesce(
            candidates.atom_text,
            {{ text_between('documents.text', 'candidates.atom_start', 'candidates.atom_end') }}
        ) as written,
    from candidates
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id
    join {{ ref('verbalizer_templates') }} as templates using (scope, target)
    where
        not {{ is_blank('written') }}
        and (
            candidates.scope = 'lens'
            or not list_contains({{ words_of('templates.template') }}, lower(candidates.atom_text))
        )

),

eligible as (

    select
        *,
        sum({{ index_weight('n') }}) over (
            partition by round_number, doc_id, scope, target order by n
        ) as weight_so_far,
        row_number() over (
            partition by round_number, doc_id, scope, target order by n
        ) as rank,
    from written

),

totals as (

    select
        round_number,
        doc_id,
        scope,
        target,
        max(weight_so_far) as weight,
    from eligible
    group by all

),

slots as (

    select
        splits.round_number,
        splits.doc_id,
        splits.document_id,
        splits.split_offset,
        splits.rejection_reason,
        kinds.slot_idx,
        kinds.scope,
        kinds.target,
    from {{ ref('splits') }} as splits
    join {{ ref('slot_kinds') }} as kinds using (split_group)
    where not kinds.is_written

),

-- The first eligible index at which the weights exceed the drawn share of their total.
drawn as (

    select
        slots.*,
        draws.share,
        draws.n as n_drawn,
        min(eligible.rank) as rank,
    from slots
    join {{ ref('index_draws') }} as draws using (round_number, doc_id, slot_idx)
    left join totals using (round_number, doc_id, scope, target)
    left join eligible
        on
            slots.round_number = eligible.round_number
            and slots.doc_id = eligible.doc_id
            and slots.scope = eligible.scope
            and slots.target = eligible.target
            and eligible.weight_so_far > draws.share * totals.weight
    group by all

),

numbered as (

    select
        *,
        row_number() over (
            partition by round_number, doc_id, scope, target order by share
        ) as place,
    from drawn

),

-- Two slots can have the same index if it has much of the weight: the second one takes the next index.
kept as (

    select
        * exclude (rank),
        place + max(rank - place) over (
            partition by round_number, doc_id, scope, target order by place
        ) as rank,
    from numbered

)

select
    kept.* exclude (share, place, rank, rejection_reason),
    eligible.n,
    eligible.atom_start,
    eligible.atom_end,
    eligible.written as atom_text,
    eligible.verbalizer_prompt,
    coalesce(
        kept.rejection_reason,
        case when eligible.n is null then 'no_eligible_' || kept.scope end
    ) as rejection_reason,
from kept
left join eligible using (round_number, doc_id, scope, target, rank)
order by kept.round_number, kept.doc_id, kept.slot_idx
