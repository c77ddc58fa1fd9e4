-- One row per arm and answerer, over all rounds: written probes to cover, those covered, and their scores. An
-- estimate with its interval is a struct; differences are from the complement arm on the same probes.
with

covered as (

    select
        arm,
        answerer_model,
        sum(n_probes)::bigint as n_probes,
        sum(n_scored)::bigint as n_scored,
    from {{ ref('controls') }}
    group by arm, answerer_model

),

estimates as (

    select
        arm,
        answerer_model,
        measure,
        struct_pack(value := estimate, low := estimate_low, high := estimate_high) as estimate,
        struct_pack(value := difference, low := difference_low, high := difference_high)
            as difference,
    from {{ ref('arm_lift') }}
    where scope = 'all' and target = 'all' and typicality = 'all'

),

results as (

    select
        arm,
        answerer_model,
        any_value(estimate) filter (where measure = 'mean score') as score_mean,
        any_value(difference) filter (where measure = 'mean score') as score_mean_difference,
        any_value(estimate) filter (where measure = 'share easy') as easy_share,
        any_value(difference) filter (where measure = 'share easy') as easy_share_difference,
    from estimates
    group by arm, answerer_model

)

select
    arm,
    answerer_model,
    covered.n_probes,
    covered.n_scored,
    results.score_mean,
    if(arm != 'complement', results.score_mean_difference, null) as score_mean_difference,
    results.easy_share,
    if(arm != 'complement', results.easy_share_difference, null) as easy_share_difference,
from covered
full join results using (arm, answerer_model)
order by arm != 'complement', arm, answerer_model
