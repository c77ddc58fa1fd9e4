-- One row per chosen document and content word near its split, with the siblings that have it too.
with

words as (

    select
        round_number,
        doc_id,
        side,
        unnest(words) as word,
    from {{ ref('boundary_words') }}

)

select
    words.round_number,
    words.doc_id,
    'word' as scope,
    words.side as target,
    words.word.word_index as n,
    words.word.starts_at as atom_start,
    words.word.ends_at as atom_end,
    count(matches.sibling_document_id) as siblings_matched,
from words
left join {{ ref('sibling_matches') }} as matches
    on
        words.side = 'suffix'
        and words.round_number = matches.round_number
        and words.doc_id = matches.doc_id
        and words.word.word_index = matches.word_index
group by all
order by all
