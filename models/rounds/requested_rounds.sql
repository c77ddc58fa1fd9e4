-- One row per requested round: a line of seeds/rounds.csv, in a calibration's home a level, and in an adopted
-- home a round of the data set.
select
    *,
    false as is_calibration,
    false as is_adopted,
from {{ ref('rounds') }}
where
    not exists (from {{ ref('stg_calibration_rounds') }})
    and not exists (from {{ ref('stg_adopted_rounds') }})

union all by name

select
    * exclude (stated_at),
    (select count(*) from {{ ref('stg_calibration_documents') }}) as n_docs,
    false as withdrawn,
    true as is_calibration,
    false as is_adopted,
from {{ ref('stg_calibration_rounds') }}

union all by name

select
    round_number,
    n_documents_wanted as n_docs,
    seed,
    source_model,
    calibration_level,
    n_answers,
    generator_model,
    answerer_model,
    judge_model,
    state = 'withdrawn' as withdrawn,
    false as is_calibration,
    true as is_adopted,
from {{ ref('stg_adopted_rounds') }}
order by round_number
