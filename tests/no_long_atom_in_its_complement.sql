-- No sentence, paragraph or whole can be copied from the text that the answerer sees.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where scope in ('sentence', 'paragraph', 'whole') and position(atom_text in context) > 0
