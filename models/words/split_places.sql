-- One row per place where a chosen document could be split for words and lenses: after a word, before
-- white space and between two tokens.
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
join {{ ref('documents') }} as documents using (document_id)
join {{ ref('chosen_tokens') }} as tokens
    on words.document_id = tokens.document_id and words.ends_at = tokens.ends_at
where
    words.next_word is not null
    and tokens.ends_cleanly
    and regexp_full_match(substr(documents.text, words.ends_at + 1, 1), '[\s\p{Z}]')
order by words.round_number, words.doc_id, words.word_number
