-- One row per score bin: scored probes by the best score of their answers.
select
    bins.bin,
    bins.label,
    bins.band,
    count(scores.probe_id) as n_probes,
    coalesce(
        count(scores.probe_id) / nullif(sum(count(scores.probe_id)) over (), 0), 0
    ) as share,
from {{ ref('score_bins') }} as bins
left join {{ ref('scored_probes') }} as scores using (bin)
group by bins.bin, bins.label, bins.band
order by bins.bin
