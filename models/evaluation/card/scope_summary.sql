-- One row per scope: slots, probes and scores.
with

slots as (

    select scope, slot_idx, true as is_probe, is_nested from {{ ref('train') }}
    union all
    select scope, slot_idx, false as is_probe, null as is_nested from {{ ref('rejections') }}

),

counted as (

    select
        scope,
        min(slot_idx)::bigint as scope_order,
        count(*) as n_slots,
        count(*) filter (where is_probe) as n_probes,
        -- Null for the other scopes.
        sum((not is_nested)::integer)::bigint as n_not_nested,
        count(*) filter (where not is_probe) as n_rejected,
    from slots
    group by scope

),

scored as (

    select
        scope,
        count(*) as n_scored,
        avg(score_mean) as score_mean,
        avg(score_max) as score_max_mean,
        avg((band = 'hard')::integer) as hard_share,
        avg((band = 'easy')::integer) as easy_share,
    from {{ ref('scored_probes') }}
    group by scope

)

select
    counted.*,
    coalesce(scored.n_scored, 0) as n_scored,
    scored.score_mean,
    scored.score_max_mean,
    scored.hard_share,
    scored.easy_share,
from counted
left join scored using (scope)
order by counted.scope_order
