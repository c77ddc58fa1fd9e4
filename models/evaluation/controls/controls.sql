-- One row per round and arm: the written probes to cover, and those covered.
-- The complement arm, published in `train`, covers all of them.
{{ config(materialized='view') }}

select
    coverage.round_number,
    coverage.arm,
    coverage.answerer_model,
    coverage.share::double as share_requested,
    coverage.n_eligible as n_probes,
    coverage.n_asked,
    coverage.n_scored,
    coverage.n_scored / nullif(coverage.n_eligible, 0) as share_scored,
    coverage.n_answers,
from {{ ref('arm_coverage') }} as coverage
join {{ ref('published_rounds') }} using (round_number)
