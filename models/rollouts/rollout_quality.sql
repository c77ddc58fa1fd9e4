-- One row per source model, outcome and reason: the number of rollouts that were kept, cut or excluded.
with

rollouts as (

    select
        fitness.*,
        case
            when fitness.exclusion_reason is not null then 'rollout excluded'
            when prefixes.exclusion_reason is not null then 'prefix excluded'
            when fitness.cut_reason is not null then 'tail cut'
            else 'kept whole'
        end as outcome,
        coalesce(
            fitness.exclusion_reason, prefixes.exclusion_reason, fitness.cut_reason, 'none'
        ) as reason,
    from {{ ref('rollout_eligibility') }} as fitness
    join {{ ref('prefixes') }} as prefixes using (source_model, doc_id)

)

select
    source_model,
    outcome,
    reason,
    count(*) as n_rollouts,
    count(*) / sum(count(*)) over (partition by source_model) as share,
    count(distinct doc_id) as n_prefixes,
    sum(continuation_length)::bigint as n_characters,
    sum(if(outcome in ('tail cut', 'kept whole'), kept_length, 0))::bigint as n_characters_kept,
from rollouts
group by source_model, outcome, reason
order by source_model, outcome, reason
