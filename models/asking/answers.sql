-- One row per answer of the published arm (from the complement), with its state.
{{ config(materialized='view') }}

select * exclude (arm)
from {{ ref('arm_answers') }}
where arm = 'complement'
