-- One row per chosen document and side of its word and lens split: the content words near the split, each
-- with its number among all words of that side, counted outward up to the largest index.
with

sides as (

    select
        splits.round_number,
        splits.doc_id,
        sides.side,
        list_slice(
            case
                when sides.side = 'suffix'
                    then list_filter(units.words, lambda x: x.starts_at >= splits.split_offset)
                else
                    list_reverse(
                        list_filter(units.words, lambda x: x.starts_at < splits.split_offset)
                    )
            end,
            1,
            {{ var('max_index') }}
        ) as words,
    from {{ ref('splits') }} as splits
    join {{ ref('document_units') }} as units using (document_id)
    cross join (values ('prefix'), ('suffix')) as sides (side)
    where splits.split_group = 'word_lens' and splits.split_offset is not null

),

numbered as (

    select
        round_number,
        doc_id,
        side,
        unnest(words) as word,
        generate_subscripts(words, 1) as word_index,
    from sides

)

select
    numbered.round_number,
    numbered.doc_id,
    numbered.side,
    list(
        {
            'word_index': numbered.word_index,
            'starts_at': numbered.word.starts_at,
            'ends_at': numbered.word.ends_at,
            'word': numbered.word.word
        }
        order by numbered.word_index
    ) as words,
from numbered
anti join {{ ref('stop_words') }} as stop_words on numbered.word.word = stop_words.word
where
    {{ can_be_content('numbered.word.word') }}
group by all
order by numbered.round_number, numbered.doc_id, numbered.side
