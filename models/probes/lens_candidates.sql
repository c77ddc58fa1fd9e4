-- One row per chosen document and lens that is adjacent to its split and ends on code-point boundaries,
-- with the siblings that contain at least half of its content words.
with

sides as (

    select
        words.round_number,
        words.doc_id,
        words.side,
        words.words,
        splits.split_offset,
        tokens.tokens,
        list_position(
            list_transform(tokens.tokens, lambda x: x.starts_at), splits.split_offset
        ) as split_token,
    from {{ ref('boundary_words') }} as words
    join {{ ref('splits') }} as splits
        on
            words.round_number = splits.round_number
            and words.doc_id = splits.doc_id
            and splits.split_group = 'word_lens'
    join {{ ref('document_tokens') }} as tokens using (document_id)

),

-- The lens, and the position where the next token beyond it starts or ends.
lenses as (

    select
        sides.round_number,
        sides.doc_id,
        sides.side,
        sides.words,
        lengths.n,
        sides.split_offset as atom_start,
        sides.tokens[sides.split_token + lengths.n - 1].ends_at as atom_end,
        coalesce(sides.tokens[sides.split_token + lengths.n].starts_at, atom_end) = atom_end
            as ends_cleanly,
    from sides
    join range(1, {{ var('max_index') }} + 1) as lengths (n)
        on sides.side = 'suffix' and sides.split_token + lengths.n - 1 <= len(sides.tokens)

    union all

    select
        sides.round_number,
        sides.doc_id,
        sides.side,
        sides.words,
        lengths.n,
        sides.tokens[sides.split_token - lengths.n].starts_at as atom_start,
        sides.split_offset as atom_end,
        sides.split_token - lengths.n = 1
        or sides.tokens[sides.split_token - lengths.n - 1].ends_at = atom_start as ends_cleanly,
    from sides
    join range(1, {{ var('max_index') }} + 1) as lengths (n)
        on sides.side = 'prefix' and sides.split_token > lengths.n

),

worded as (

    select
        * exclude (words),
        len(
            list_filter(words, lambda x: x.starts_at >= atom_start and x.ends_at <= atom_end)
        ) as n_content_words,
    from lenses
    where ends_cleanly

),

-- The content words of a lens are the first ones after the split.
matches as (

    select
        round_number,
        doc_id,
        word_index,
        sibling_document_id,
        row_number() over (
            partition by round_number, doc_id, sibling_document_id order by word_index
        ) as n_matched_so_far,
    from {{ ref('sibling_matches') }}

)

select
    worded.round_number,
    worded.doc_id,
    'lens' as scope,
    worded.side as target,
    worded.n,
    worded.atom_start,
    worded.atom_end,
    count(distinct matches.sibling_document_id) filter (
        where matches.n_matched_so_far >= worded.n_content_words / 2
    ) as siblings_matched,
from worded
left join matches
    on
        worded.side = 'suffix'
        and worded.round_number = matches.round_number
        and worded.doc_id = matches.doc_id
        and matches.word_index <= worded.n_content_words
-- A lens without a content word cannot be compared with the siblings.
where worded.side = 'prefix' or worded.n_content_words > 0
group by all
order by all
