-- One row per word or lens slot of a chosen document: the share of the distribution of indices at which its
-- index is drawn, and that index if all indices exist.
-- Log-uniform: index n has weight 1/n. The k slots of one scope and target share one random number u; they
-- get (u + 0)/k, (u + 1)/k, … in random order. Each share is uniform, and no two fall on the same index
-- unless it has more than 1/k of all weight.
with

slots as (

    select
        chosen.round_number,
        chosen.doc_id,
        kinds.slot_idx,
        {{ seeded_share(['chosen.row_seed', 'kinds.scope', 'kinds.target']) }} as first_share,
        count(*) over (
            partition by chosen.round_number, chosen.doc_id, kinds.scope, kinds.target
        ) as n_slots,
        row_number() over (
            partition by chosen.round_number, chosen.doc_id, kinds.scope, kinds.target
            order by {{ identity(['chosen.row_seed', 'kinds.slot_idx']) }}
        ) as place,
    from {{ ref('chosen_documents') }} as chosen
    cross join {{ ref('slot_kinds') }} as kinds
    where not kinds.is_written

),

weights as (

    select
        n,
        sum({{ index_weight('n') }}) over (order by n) as weight_so_far,
    from range(1, {{ var('max_index') }} + 1) as indices (n)

),

shares as (

    select
        round_number,
        doc_id,
        slot_idx,
        (first_share + place - 1) / n_slots as share,
    from slots

)

select
    shares.*,
    min(weights.n) as n,
from shares
join weights
    on weights.weight_so_far > shares.share * (select max(weight_so_far) from weights)
group by all
order by shares.round_number, shares.doc_id, shares.slot_idx
