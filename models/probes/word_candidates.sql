-- One row per chosen document and content word near its split.
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
    {{ text_between('documents.text', 'words.word.starts_at', 'words.word.ends_at') }} as atom_text,
    {{ letter_case('atom_text') }} as letter_case,
from words
join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id
order by all
