-- One row per chosen document and content word near its split, with the siblings that also contain it.
with

words as (

    select
        round_number,
        doc_id,
        side,
        unnest(words) as word,
    from {{ ref('boundary_words') }}

),

written as (

    select
        words.*,
        {{ text_between('documents.text', 'words.word.starts_at', 'words.word.ends_at') }} as atom_text,
    from words
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id

)

select
    written.round_number,
    written.doc_id,
    'word' as scope,
    written.side as target,
    written.word.word_index as n,
    written.word.starts_at as atom_start,
    written.word.ends_at as atom_end,
    written.atom_text,
    {{ letter_case('written.atom_text') }} as letter_case,
    count(matches.sibling_document_id) as siblings_matched,
from written
left join {{ ref('sibling_matches') }} as matches
    on
        written.side = 'suffix'
        and written.round_number = matches.round_number
        and written.doc_id = matches.doc_id
        and written.word.word_index = matches.word_index
group by all
order by all
