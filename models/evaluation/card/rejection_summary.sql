-- One row per scope and reason: slots without a probe.
select
    rejection_reason,
    scope,
    count(*) as n_slots,
    any_value(meaning) as meaning,
from {{ ref('rejections') }}
group by rejection_reason, scope
order by n_slots desc, rejection_reason, scope
