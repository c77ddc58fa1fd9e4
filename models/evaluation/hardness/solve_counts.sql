-- One row per scored probe and threshold: how many of its answers from the complement solve it.
with

bands as (
    {{ band_thresholds() }}
),

thresholds as (

    select unnest([middle_threshold, easy_threshold]) as solve_threshold
    from bands

)

select
    scores.round_number,
    scores.probe_id,
    probes.source_model,
    probes.doc_id,
    probes.scope,
    thresholds.solve_threshold,
    len(scores.scores) as n_answers,
    len(list_filter(scores.scores, lambda x: x >= thresholds.solve_threshold)) as n_solved,
from {{ ref('probe_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
cross join thresholds
where scores.scores is not null
order by scores.round_number, scores.probe_id, thresholds.solve_threshold
