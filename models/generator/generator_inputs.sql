-- One row per generator request: the inputs of its prompt, and the map of the ids in it.
-- For the runner, which reads the rows that it is about to send.
{{ config(materialized='view') }}

with

further as (

    select
        round_number,
        doc_id,
        list(text order by position) as texts,
    from {{ ref('further_siblings') }}
    group by round_number, doc_id

)

select
    requests.request_id,
    levels.addendum,
    settings.min_atom_words,
    -- With fewer other siblings, all of them.
    least(settings.typical_siblings, count(*) - 1 + coalesce(len(further.texts), 0)) as typical_siblings,
    to_json(
        list(
            {
                'label': shown.label,
                'document_id': shown.document_id,
                'continuation_idx': shown.continuation_idx,
                'text_hash': shown.text_hash,
                'prefix_length': shown.prefix_length,
                'can_be_chosen': shown.can_be_chosen,
                'splits': {
                    'word_lens': shown.word_lens_splits,
                    'sentence': shown.sentence_splits,
                    'paragraph_suffix': shown.paragraph_suffix_splits,
                    'paragraph_prefix': shown.paragraph_prefix_splits,
                    'whole_suffix': shown.whole_suffix_splits,
                    'whole_prefix': shown.whole_prefix_splits
                },
                'sentences': units.sentences,
                'paragraphs': units.paragraphs
            }
            order by shown.position
        )
    ) as unit_map,
    list(documents.text order by shown.position) as texts,
    coalesce(further.texts, []) as further_texts,
from {{ ref('generator_requests') }} as requests
join {{ ref('calibration_levels') }} as levels using (calibration_level)
join {{ ref('round_settings') }} as settings on requests.round_number = settings.round_number
join {{ ref('shown_documents') }} as shown
    on requests.round_number = shown.round_number and requests.doc_id = shown.doc_id
join {{ ref('documents') }} as documents using (document_id)
join {{ ref('document_units') }} as units using (document_id)
left join further
    on requests.round_number = further.round_number and requests.doc_id = further.doc_id
group by
    requests.request_id,
    levels.addendum,
    settings.min_atom_words,
    settings.typical_siblings,
    further.texts
