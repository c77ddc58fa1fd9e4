-- A slot has a reason exactly when it is rejected.
select
    round_number,
    doc_id,
    slot_idx,
from {{ ref('slots') }}
where (state = 'rejected') != (rejection_reason is not null)
