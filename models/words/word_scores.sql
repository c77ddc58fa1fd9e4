-- One row per word of `chosen_words`: sums, from the beginning of the document up to the word, of the
-- logarithms of each word's frequency and of its probability after the word before it. The document that
-- a word is taken from is not counted.
with

scored as (

    select
        words.round_number,
        words.document_id,
        words.word_number,
        words.word,
        ln(own.share) as frequency,
        {{ pair_log_probability('pairs.n_documents - 1', 'before.n_pairs - 1', 'own.share') }}
            as probability,
    from {{ ref('chosen_words') }} as words
    join {{ ref('word_frequencies') }} as own using (round_number, word)
    left join {{ ref('chosen_words') }} as previous
        on
            words.round_number = previous.round_number
            and words.doc_id = previous.doc_id
            and words.word_number = previous.word_number + 1
    left join {{ ref('word_frequencies') }} as before
        on previous.round_number = before.round_number and previous.word = before.word
    left join {{ ref('word_pairs') }} as pairs
        on
            previous.round_number = pairs.round_number
            and previous.word = pairs.word
            and words.word = pairs.next_word

)

select
    round_number,
    document_id,
    word_number,
    word,
    -- Of whole billionths: sums of other doubles depend on their order, which other rounds move.
    sum(round(frequency * 1e9)) over to_here / 1e9 as frequency_sum,
    sum(round(probability * 1e9)) over to_here / 1e9 as probability_sum,
from scored
window to_here as (partition by round_number, document_id order by word_number)
order by round_number, document_id, word_number
