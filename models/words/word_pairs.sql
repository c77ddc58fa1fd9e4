-- One row per round and pair of adjacent words: in how many of its chosen documents the pair occurs. The
-- bigrams of the n-gram model.
with

occurrences as (

    select distinct
        round_number,
        doc_id,
        word,
        next_word,
    from {{ ref('chosen_words') }}
    where next_word is not null

)

select
    round_number,
    word,
    next_word,
    count(*) as n_documents,
from occurrences
group by round_number, word, next_word
order by round_number, word, next_word
