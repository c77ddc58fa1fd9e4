-- Pending requests have attempts left.
select
    pending.request_id,
from {{ ref('pending_requests') }} as pending
join {{ ref('attempts') }} as attempts using (request_id)
where attempts.state != 'released'
group by pending.request_id
having
    count(*) filter (where attempts.state in ('failed', 'unusable')) >= {{ var('max_attempts') }}
