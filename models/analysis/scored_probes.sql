-- One row per scored probe: its place in the histogram, and its band (hard, middle, easy).
select
    scores.probe_id,
    scores.round_number,
    probes.scope,
    probes.target,
    probes.typicality,
    scores.complement_was_cut,
    scores.score_mean,
    scores.score_max,
    scores.score_min,
    bins.bin,
    bins.band,
from {{ ref('probe_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
join {{ ref('score_bins') }} as bins
    on
        scores.score_max >= bins.lowest
        and scores.score_max < coalesce(bins.below, 'infinity'::double)
order by scores.round_number, scores.probe_id
