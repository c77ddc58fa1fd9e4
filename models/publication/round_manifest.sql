-- One row per published round: its documents, seed, batches, and when its first batch was sent.
with

sent as (

    select
        requests.round_number,
        list(distinct batches.provider_batch_id order by batches.provider_batch_id) as batch_ids,
        min(batches.submitted_at) as submitted_at,
    from {{ ref('stg_requests') }} as requests
    join {{ ref('stg_batches') }} as batches using (batch_id)
    where batches.provider_batch_id is not null
    group by requests.round_number

)

select
    settings.round_number as round_idx,
    settings.seed,
    settings.source_model,
    settings.calibration_level,
    settings.n_answers,
    settings.generator_model,
    settings.answerer_model,
    settings.judge_model,
    sent.batch_ids,
    list(documents.doc_id order by documents.doc_id) as doc_ids,
    list(documents.row_seed order by documents.doc_id) as row_seeds,
    sent.submitted_at,
from {{ ref('round_settings') }} as settings
join {{ ref('round_documents') }} as documents using (round_number)
join sent using (round_number)
where settings.state = 'started'
group by all
order by settings.round_number
