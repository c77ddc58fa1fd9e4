-- The context is the other side of the split, verbatim; with the target side it makes the document.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    context is distinct from case target
        when 'suffix' then left(doc, split_char_offset)
        else right(doc, length(doc) - split_char_offset)
    end
