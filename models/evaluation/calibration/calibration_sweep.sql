-- One row per level, scope (and all scopes) and measure of a calibration, with its interval.
with

summed as (

    select
        calibration_level,
        scope,
        measure,
        sum(n_values)::bigint as n_values,
        count(*) as n_documents,
        {{ sum_or_null('value') }} / sum(n_values) as estimate,
        case
            when measure like '% of a document' then {{ mean_interval('value', 'n_values') }}
            else {{ share_interval('value', 'n_values') }}
        end as estimate_interval,
    from {{ ref('calibration_values') }}
    group by calibration_level, scope, measure

    union all

    select
        calibration_level,
        scope,
        'standard deviation of best score' as measure,
        sum(n_values)::bigint as n_values,
        count(*) as n_documents,
        sqrt(greatest(0, sum(square) / sum(n_values) - (sum(value) / sum(n_values)) ** 2))
            as estimate,
        {{ spread_interval('value', 'square', 'n_values') }} as estimate_interval,
    from {{ ref('calibration_values') }}
    where measure = 'mean best score'
    group by calibration_level, scope

)

select
    * exclude (estimate, estimate_interval),
    {{ rounded('estimate') }} as estimate,
    {{ rounded('estimate_interval.low') }} as estimate_low,
    {{ rounded('estimate_interval.high') }} as estimate_high,
from summed
order by calibration_level, scope, measure
