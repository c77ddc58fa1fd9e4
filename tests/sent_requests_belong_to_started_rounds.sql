-- A round is frozen as soon as one of its requests may have been accepted.
select
    requests.request_id,
    requests.round_number,
from {{ ref('stg_requests') }} as requests
join {{ ref('stg_batches') }} as batches using (batch_id)
anti join {{ ref('stg_started_rounds') }} as started
    on requests.round_number = started.round_number
where batches.state != 'released'
