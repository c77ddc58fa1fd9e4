-- One row per chosen document and side of its word and lens split: the content words of that side,
-- counted outward from the split, up to the largest index.
with

words as (

    select
        splits.round_number,
        splits.doc_id,
        splits.split_offset,
        unnest(units.words) as word,
    from {{ ref('splits') }} as splits
    join {{ ref('document_units') }} as units using (document_id)
    where splits.split_group = 'word_lens' and splits.split_offset is not null

),

sided as (

    select
        *,
        case when word.starts_at >= split_offset then 'suffix' else 'prefix' end as side,
    from words

),

content as (

    select
        *,
        row_number() over (
            partition by round_number, doc_id, side
            order by abs(word.starts_at - split_offset)
        ) as word_index,
    from sided
    anti join {{ ref('stop_words') }} as stop_words on sided.word.word = stop_words.word
    where regexp_matches(word.word, '\p{L}')
    qualify word_index <= {{ var('max_index') }}

)

select
    round_number,
    doc_id,
    side,
    list(
        {
            'word_index': word_index,
            'starts_at': word.starts_at,
            'ends_at': word.ends_at,
            'word': word.word
        }
        order by word_index
    ) as words,
from content
group by all
order by round_number, doc_id, side
