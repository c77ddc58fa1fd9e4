-- One row per round and control: a line of seeds/round_controls.csv, or in an adopted home a published arm.
{{ config(materialized='view') }}

select
    *,
    false as is_adopted,
from {{ ref('round_controls') }}
where not exists (from {{ ref('stg_adopted_rounds') }})

union all by name

select
    round_number,
    arm as control,
    share_requested as share,
    answerer_model as model,
    n_answers,
    true as is_adopted,
from {{ ref('stg_adopted_controls') }}
where arm != 'complement'
