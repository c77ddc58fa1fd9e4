-- One row per round that is asked for: a line of seeds/rounds.csv; in the home of a calibration, which
-- makes no other rounds, a level.
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
