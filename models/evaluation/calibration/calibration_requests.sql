-- One row per answered attempt of a calibration: its document and its cost.
with

asked as (

    select
        request_id,
        round_number,
        doc_id,
    from {{ ref('generator_requests') }}
    union all
    select
        requests.request_id,
        requests.round_number,
        probes.doc_id,
    from {{ ref('answerer_requests') }} as requests
    join {{ ref('probes') }} as probes using (probe_id)
    union all
    select
        requests.request_id,
        requests.round_number,
        probes.doc_id,
    from {{ ref('judge_requests') }} as requests
    join {{ ref('probes') }} as probes using (probe_id)

)

select
    asked.request_id,
    responses.attempt,
    responses.stage,
    settings.calibration_level,
    settings.source_model,
    asked.doc_id,
    {{ usd_of_tokens('responses') }} as usd,
from asked
join {{ ref('round_settings') }} as settings using (round_number)
join {{ ref('responses') }} as responses using (request_id)
join {{ ref('stg_requests') }} as requests
    on responses.request_id = requests.request_id and responses.attempt = requests.attempt
join {{ ref('stg_batches') }} as batches using (batch_id)
left join {{ ref('token_prices') }} as prices
    on batches.provider = prices.provider and responses.asked_model = prices.model
where settings.is_calibration and responses.outcome = 'succeeded'
order by asked.request_id, responses.attempt
