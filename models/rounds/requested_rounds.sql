-- One row per requested round: a line of seeds/rounds.csv or, in a calibration's home, a level.
select
    *,
    false as is_calibration,
from {{ ref('rounds') }}
where not exists (from {{ ref('stg_calibration_rounds') }})

union all by name

select
    * exclude (stated_at),
    (select count(*) from {{ ref('stg_calibration_documents') }}) as n_docs,
    false as withdrawn,
    true as is_calibration,
from {{ ref('stg_calibration_rounds') }}
order by round_number
