-- Every landed rollout has one outcome, and what is kept is no more than what came.
with

sums as (

    select
        (select sum(n_rollouts) from {{ ref('rollout_quality') }}) as n_counted,
        (select count(*) from {{ ref('stg_rollouts') }}) as n_landed,
        (select sum(n_characters) from {{ ref('rollout_quality') }}) as n_characters,
        (select sum(length(continuation)) from {{ ref('stg_rollouts') }}) as n_characters_landed,

)

select n_landed as found
from sums
where coalesce(n_counted, 0) != n_landed or n_characters is distinct from n_characters_landed

union all

select n_characters_kept
from {{ ref('rollout_quality') }}
where n_characters_kept > n_characters
