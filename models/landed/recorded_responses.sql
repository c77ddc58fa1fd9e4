-- One row per response that was replayed from a recording: when it was recorded, the wording of the prompt
-- that it answered, and the file.
{{ config(materialized='view') }}

select
    responses.request_id,
    responses.attempt,
    try_cast(responses.body ->> '$.result.date' as date) as recorded_on,
    responses.body ->> '$.result.prompt_hash' as prompt_hash,
    responses.body ->> '$.result.prompt_hash' != requests.prompt_hash as is_other_wording,
    responses.body ->> '$.result.recording_file' as recording_file,
    responses.body ->> '$.result.recording' as recording_sha256,
    coalesce(responses.body ->> '$.result.message.usage.is_estimated' = 'true', false) as is_estimated,
from {{ ref('stg_responses') }} as responses
join {{ ref('stg_requests') }} as requests
    on responses.request_id = requests.request_id and responses.attempt = requests.attempt
join {{ ref('stg_batches') }} as batches using (batch_id)
where batches.provider = 'recorded' and responses.outcome = 'succeeded'
