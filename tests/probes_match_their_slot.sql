-- A published probe has the scope of its slot, and its split is that of its slot's group.
select
    train.doc_id,
    train.slot_idx,
from {{ ref('train') }} as train
left join {{ ref('slot_kinds') }} as kinds using (slot_idx)
where
    train.scope is distinct from kinds.scope
    or train.split_char_offset is distinct from case kinds.split_group
        when 'word_lens' then train.row_splits.word_lens
        when 'sentence' then train.row_splits.sentence
        when 'paragraph' then train.row_splits.paragraph
        when 'whole' then train.row_splits.whole
    end
