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
