-- One row per chosen document with a word and lens split, and word of its text, in order.
with

words as (

    select
        splits.round_number,
        splits.doc_id,
        splits.document_id,
        generate_subscripts(units.words, 1) as word_number,
        unnest(units.words) as word,
    from {{ ref('splits') }} as splits
    join {{ ref('document_units') }} as units using (document_id)
    where splits.split_group = 'word_lens' and splits.split_offset is not null

)

select
    words.* exclude (word),
    words.word.word,
    words.word.starts_at,
    words.word.ends_at,
    stop_words.word is null and {{ can_be_content('words.word.word') }} as is_content,
    count(*) filter (where is_content) over (
        partition by words.round_number, words.doc_id order by words.word_number
    ) as content_number,
    lead(words.word.word) over (
        partition by words.round_number, words.doc_id order by words.word_number
    ) as next_word,
from words
left join {{ ref('stop_words') }} as stop_words on words.word.word = stop_words.word
order by words.round_number, words.doc_id, words.word_number
