-- One row per scored probe and threshold: how many of its answers from the complement solve it.
with

bands as (
    {{ band_borders() }}
),

thresholds as (

    select unnest([middle_from, easy_from]) as solved_from
    from bands

)

select
    scores.round_number,
    scores.probe_id,
    probes.source_model,
    probes.doc_id,
    probes.scope,
    thresholds.solved_from,
    len(scores.scores) as n_answers,
    len(list_filter(scores.scores, lambda x: x >= thresholds.solved_from)) as n_solved,
from {{ ref('probe_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
cross join thresholds
where scores.scores is not null
order by scores.round_number, scores.probe_id, thresholds.solved_from
