-- Pending requests have attempts left on their current input.
select
    pending.request_id,
from {{ ref('pending_requests') }} as pending
join {{ ref('attempts') }} as attempts using (request_id)
group by pending.request_id
having {{ has_no_attempts_left('pending') }}
