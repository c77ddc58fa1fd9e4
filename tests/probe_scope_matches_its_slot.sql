-- A published probe has the scope of its slot.
select
    train.doc_id,
    train.slot_idx,
from {{ ref('train') }} as train
left join {{ ref('slot_kinds') }} as kinds using (slot_idx)
where train.scope is distinct from kinds.scope
