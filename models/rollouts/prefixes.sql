-- One row per prefix: how many fit continuations it has, and whether they are enough.
select
    source_model,
    doc_id,
    count(*) as n_rollouts,
    count(*) filter (where passed_over_reason is null) as n_fit_rollouts,
    case
        when count(*) filter (where passed_over_reason is null) < {{ var('fewest_siblings') }}
            then 'too_few_siblings'
    end as passed_over_reason,
from {{ ref('rollout_fitness') }}
group by all
order by source_model, doc_id
