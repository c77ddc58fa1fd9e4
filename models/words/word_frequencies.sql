-- One row per round and word: in how many of its chosen documents the word occurs, and how often it is
-- continued.
with

occurrences as (

    select distinct
        round_number,
        doc_id,
        word,
    from {{ ref('chosen_words') }}

),

counted as (

    select
        round_number,
        word,
        count(*) as n_documents,
    from occurrences
    group by round_number, word

),

continued as (

    select
        round_number,
        word,
        sum(n_documents) as n_pairs,
    from {{ ref('word_pairs') }}
    group by round_number, word

)

select
    counted.round_number,
    counted.word,
    counted.n_documents,
    coalesce(continued.n_pairs, 0)::bigint as n_pairs,
    -- Without the document that the word is taken from.
    (counted.n_documents - 0.5)
    / sum(counted.n_documents - 0.5) over (partition by counted.round_number) as share,
from counted
left join continued using (round_number, word)
order by counted.round_number, counted.word
