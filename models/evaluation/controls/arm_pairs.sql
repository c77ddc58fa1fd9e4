-- One row per probe and arm in which it is scored: its scores in that arm and in the complement arm.
-- Best scores are compared over the same number of answers, because more answers have a better maximum.
with

paired as (

    select
        scores.round_number,
        scores.probe_id,
        scores.arm,
        arms.answerer_model,
        scores.score_mean,
        complement.score_mean as complement_score_mean,
        least(len(scores.scores), len(complement.scores)) as n_compared,
        list_max(scores.scores[:n_compared]) as score_max,
        list_max(complement.scores[:n_compared]) as complement_score_max,
        len(complement.scores) as n_published,
        complement.score_max as published_score_max,
    from {{ ref('arm_scores') }} as scores
    join {{ ref('round_arms') }} as arms using (round_number, arm)
    join {{ ref('probe_scores') }} as complement using (probe_id)
    where scores.scores is not null and complement.scores is not null

)

select
    paired.*,
    probes.source_model,
    probes.doc_id,
    probes.scope,
    probes.target,
    {{ typicality_group('probes') }} as typicality,
    probes.atom_origin,
from paired
join {{ ref('probes') }} as probes using (probe_id)
order by paired.round_number, paired.probe_id, paired.arm
