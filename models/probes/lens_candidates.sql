-- One row per chosen document and lens that is adjacent to its split and ends on code-point boundaries.
with

sides as (

    select
        splits.round_number,
        splits.doc_id,
        splits.split_offset,
        tokens.tokens,
        list_position(
            list_transform(tokens.tokens, lambda x: x.starts_at), splits.split_offset
        ) as split_token,
    from {{ ref('splits') }} as splits
    join {{ ref('document_tokens') }} as tokens using (document_id)
    where splits.split_group = 'word_lens' and splits.split_offset is not null

),

-- The lens, and whether the next token beyond it starts or ends where it does.
lenses as (

    select
        sides.round_number,
        sides.doc_id,
        'suffix' as target,
        lengths.n,
        sides.split_offset as atom_start,
        sides.tokens[sides.split_token + lengths.n - 1].ends_at as atom_end,
        coalesce(sides.tokens[sides.split_token + lengths.n].starts_at, atom_end) = atom_end
            as ends_cleanly,
    from sides
    join range(1, {{ var('max_index') }} + 1) as lengths (n)
        on sides.split_token + lengths.n - 1 <= len(sides.tokens)

    union all

    select
        sides.round_number,
        sides.doc_id,
        'prefix' as target,
        lengths.n,
        sides.tokens[sides.split_token - lengths.n].starts_at as atom_start,
        sides.split_offset as atom_end,
        sides.split_token - lengths.n = 1
        or sides.tokens[sides.split_token - lengths.n - 1].ends_at = atom_start as ends_cleanly,
    from sides
    join range(1, {{ var('max_index') }} + 1) as lengths (n)
        on sides.split_token > lengths.n

)

select
    round_number,
    doc_id,
    'lens' as scope,
    target,
    n,
    atom_start,
    atom_end,
from lenses
where ends_cleanly
order by all
