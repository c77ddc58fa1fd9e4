-- One row per score bin: scored probes by the best score of their answers.
select
    bins.bin,
    bins.label,
    bins.band,
    count(scores.slot_idx) as n_probes,
    coalesce(
        count(scores.slot_idx) / nullif(sum(count(scores.slot_idx)) over (), 0), 0
    ) as share,
from {{ ref('score_bins') }} as bins
left join {{ ref('scored_probes') }} as scores using (bin)
group by bins.bin, bins.label, bins.band
order by bins.bin
