-- One row per written probe: its scores from the complement, or why it has none.
{{ config(materialized='view') }}

select * exclude (arm)
from {{ ref('arm_scores') }}
where arm = 'complement'
