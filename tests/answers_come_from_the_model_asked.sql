-- Each response is signed by the model that was asked, or a dated version of it.
select
    request_id,
    attempt,
from {{ ref('responses') }}
where outcome = 'succeeded' and not starts_with(coalesce(model, ''), asked_model)
