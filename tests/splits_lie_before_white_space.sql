-- White space follows every split: no word, and no token of the next word, is cut.
select
    splits.round_number,
    splits.doc_id,
    splits.split_group,
from {{ ref('splits') }} as splits
join {{ ref('documents') }} as documents using (document_id)
where
    splits.split_offset is not null
    and not regexp_full_match(
        documents.text[splits.split_offset:splits.split_offset + 1], '[^\s\p{Z}][\s\p{Z}]'
    )
    -- Two sentences may touch: then the split lies between them.
    and not (
        splits.split_group != 'word_lens'
        and regexp_full_match(
            documents.text[splits.split_offset:splits.split_offset], '[^\s\p{Z}]'
        )
        and exists (
            from {{ ref('chosen_documents') }} as chosen
            where
                chosen.round_number = splits.round_number
                and chosen.doc_id = splits.doc_id
                and list_contains(
                    list_transform(chosen.sentences, lambda x: x.starts_at), splits.split_offset
                )
        )
    )
