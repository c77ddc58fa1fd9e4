-- One row per answer that is to be published: those from the complement, and how each stands.
{{ config(materialized='view') }}

select * exclude (arm)
from {{ ref('arm_answers') }}
where arm = 'complement'
