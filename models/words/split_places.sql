-- One row per place where a chosen document could be split for words and lenses: after a word, before
-- white space and between two tokens.
with

places as (

    select
        words.round_number,
        words.doc_id,
        words.document_id,
        words.ends_at as place,
        words.word_number,
        words.content_number,
        words.word,
        words.next_word,
        tokens.token_number,
    from {{ ref('chosen_words') }} as words
    join {{ ref('chosen_tokens') }} as tokens
        on words.document_id = tokens.document_id and words.ends_at = tokens.ends_at
    where words.next_word is not null and tokens.ends_cleanly

),

-- All of a document at once: for each, `substr` reads the text from its beginning.
by_document as (

    select
        document_id,
        list(distinct place order by place) as places,
    from places
    group by document_id

),

followed as (

    select
        by_document.document_id,
        unnest(by_document.places) as place,
        unnest(
            text_parts(
                documents.text, by_document.places, list_transform(by_document.places, lambda x: x + 1)
            )
        ) as next_character,
    from by_document
    join {{ ref('documents') }} as documents using (document_id)

)

select places.*
from places
join followed using (document_id, place)
where regexp_full_match(followed.next_character, '[\s\p{Z}]')
order by places.round_number, places.doc_id, places.word_number
