-- A request that is open, or has a usable answer for its current input, is not pending.
select
    pending.request_id,
    attempts.attempt,
from {{ ref('pending_requests') }} as pending
join {{ ref('attempts') }} as attempts using (request_id)
where
    attempts.state = 'open'
    or attempts.state = 'usable' and attempts.input_hash = pending.input_hash
    or attempts.attempt >= pending.attempt
