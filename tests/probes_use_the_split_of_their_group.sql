-- The split of a probe is the split of its scope's group.
select
    train.doc_id,
    train.slot_idx,
from {{ ref('train') }} as train
join {{ ref('slot_kinds') }} as kinds using (slot_idx)
where
    train.split_char_offset is distinct from case kinds.split_group
        when 'word_lens' then train.row_splits.word_lens
        when 'sentence' then train.row_splits.sentence
        when 'paragraph' then train.row_splits.paragraph
        when 'whole' then train.row_splits.whole
    end
