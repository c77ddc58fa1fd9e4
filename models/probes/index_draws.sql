-- One row per chosen document, scope, target and index: the order in which indices are drawn.
-- Sorting by -ln(u) * n draws n with weight 1/n and without replacement: log-uniform.
select
    chosen.round_number,
    chosen.doc_id,
    kinds.scope,
    kinds.target,
    indices.n,
    row_number() over (
        partition by chosen.round_number, chosen.doc_id, kinds.scope, kinds.target
        order by
            -ln({{ seeded_share(['chosen.row_seed', 'kinds.scope', 'kinds.target', 'indices.n']) }})
            * indices.n
    ) as draw,
from {{ ref('chosen_documents') }} as chosen
cross join (
    select distinct
        scope,
        target,
    from {{ ref('slot_kinds') }}
    where not is_written
) as kinds
cross join range(1, {{ var('max_index') }} + 1) as indices (n)
