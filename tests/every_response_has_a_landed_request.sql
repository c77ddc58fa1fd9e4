-- Nothing has landed that was not asked, and every attempt belongs to a batch.
select
    request_id,
    attempt,
from {{ ref('stg_responses') }}
anti join {{ ref('stg_requests') }} using (request_id, attempt)

union all

select
    request_id,
    attempt,
from {{ ref('stg_requests') }}
anti join {{ ref('stg_batches') }} using (batch_id)
