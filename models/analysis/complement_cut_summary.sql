-- One row per scope and whether the complement was cut for the answerer: scores.
select
    scope,
    complement_was_cut,
    count(*) as n_probes,
    avg(score_max) as score_max_mean,
    avg((band = 'hard')::integer) as hard_share,
    avg((band = 'easy')::integer) as easy_share,
from {{ ref('scored_probes') }}
group by all
order by scope, complement_was_cut
