-- One row per content word after the split and other sibling that contains it at a comparable position.
with

wanted as (

    select
        words.round_number,
        words.doc_id,
        chosen.document_id,
        chosen.text_length * settings.position_tolerance as farthest,
        unnest(words.words) as wanted,
    from {{ ref('boundary_words') }} as words
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('round_settings') }} as settings using (round_number)
    where words.side = 'suffix'

),

-- Only continuations are compared, since all siblings share the prefix.
sibling_words as (

    select
        shown.round_number,
        shown.doc_id,
        shown.document_id,
        unnest(
            list_filter(units.words, lambda x: x.starts_at >= shown.prefix_length)
        ) as found,
    from {{ ref('shown_documents') }} as shown
    join {{ ref('document_units') }} as units using (document_id)

)

select distinct
    wanted.round_number,
    wanted.doc_id,
    wanted.wanted.word_index,
    sibling_words.document_id as sibling_document_id,
from wanted
join sibling_words
    on
        wanted.round_number = sibling_words.round_number
        and wanted.doc_id = sibling_words.doc_id
        and wanted.wanted.word = sibling_words.found.word
        and wanted.document_id != sibling_words.document_id
        and abs(wanted.wanted.starts_at - sibling_words.found.starts_at) <= wanted.farthest
order by all
