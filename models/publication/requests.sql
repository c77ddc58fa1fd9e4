-- One row per round, stage, models, provider, template, settings and outcome: requests sent to a provider.
-- Only generator answers that were accepted as final have a format.
select
    requests.round_number,
    requests.stage,
    stages.stage_order,
    requests.model as asked_model,
    if(responses.problem = 'other_model', 'another model', responses.model) as answering_model,
    batches.provider,
    coalesce(recorded.prompt_hash, requests.prompt_hash) as template_hash,
    coalesce(recorded.is_other_wording, false) as is_other_wording,
    recorded.recorded_on,
    recorded.recording_file,
    recorded.recording_sha256,
    coalesce(recorded.is_estimated, false) as is_estimated,
    -- A recording does not know with which settings its responses were written.
    if(batches.provider = 'recorded', null, requests.settings::varchar) as settings,
    case
        when batches.state = 'released' then 'never taken'
        when responses.outcome is null then 'open'
        when not responses.is_usable and responses.outcome = 'succeeded' then 'unusable'
        else responses.outcome
    end as outcome,
    responses.stop_reason,
    case
        when outputs.rejection_reason in ('answer_not_json', 'answer_cut_off', 'answer_refused')
            then 'no JSON'
        when outputs.was_repaired then 'mended'
        when outputs.was_repaired is not null then 'strict JSON'
    end as answer_format,
    outputs.rejection_reason as answer_rejection,
    count(*) as n_requests,
    {{ sums_of_tokens('responses') }}
from {{ ref('stg_requests') }} as requests
join {{ ref('stages') }} as stages using (stage)
join {{ ref('stg_batches') }} as batches using (batch_id)
left join {{ ref('responses') }} as responses
    on requests.request_id = responses.request_id and requests.attempt = responses.attempt
left join {{ ref('recorded_responses') }} as recorded
    on requests.request_id = recorded.request_id and requests.attempt = recorded.attempt
left join {{ ref('generator_outputs') }} as outputs
    on requests.request_id = outputs.request_id and requests.attempt = outputs.attempt
group by all
order by all
