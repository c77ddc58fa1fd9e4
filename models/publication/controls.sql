-- One row per round and arm: the written probes that it was to cover, and those that it did.
-- The complement is the arm that `train` publishes, for all of them.
{{ config(materialized='view') }}

select
    probes.round_number,
    'complement' as arm,
    1.0::double as share_stated,
    count(*) as n_probes,
    count(scores.probe_id) as n_asked,
    count(scores.scores) as n_scored,
    count(scores.scores) / count(*) as share_run,
from {{ ref('probes') }} as probes
left join {{ ref('probe_scores') }} as scores using (probe_id)
where probes.is_written
group by probes.round_number
