-- One row per stage, model, template and settings of the requests that were answered.
select
    stage,
    stage_order,
    answering_model as model,
    provider,
    template_hash,
    settings,
    list(distinct round_number order by round_number) as round_numbers,
    sum(n_requests)::bigint as n_answers,
from {{ ref('requests') }}
where outcome = 'succeeded'
group by all
order by stage_order, model, provider, template_hash, settings
