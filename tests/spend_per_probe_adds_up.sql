-- By stage, by round and in total, it is the spend divided by the published probes. Prices are multiples
-- of fractions of a millionth: rounded to six digits, equal sums in another order can differ.
with

sums as (

    select
        (select {{ sum_or_null('usd') }} from {{ ref('spend') }}) as spent,
        (
            select {{ sum_or_null('usd') }} from {{ ref('spend_per_probe') }} where stage != 'all'
        ) as by_stage,
        (
            select {{ sum_or_null('usd') }} from {{ ref('spend_per_probe') }}
            where stage = 'all' and round_number is not null
        ) as by_round,
        (select usd from {{ ref('spend_per_probe') }} where round_number is null) as in_all,
        (
            select usd_per_probe * n_probes from {{ ref('spend_per_probe') }}
            where round_number is null
        ) as of_probes,
        (
            select n_probes from {{ ref('spend_per_probe') }} where round_number is null
        ) as n_probes,
        (select count(*) from {{ ref('train') }}) as n_published,

)

select *
from sums
where
    round(by_stage, 9) is distinct from round(spent, 9)
    or round(by_round, 9) is distinct from round(spent, 9)
    or round(in_all, 9) is distinct from round(spent, 9)
    or round(of_probes, 9) is distinct from round(if(n_published > 0, spent, null), 9)
    or n_probes != n_published
