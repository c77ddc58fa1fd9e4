-- One row per kind and name: what a name means that occurs in the data set.
{{ config(materialized='view') }}

select kind, name, meaning from {{ ref('names') }}
union all
select 'config' as kind, config as name, meaning from {{ ref('published_tables') }}
union all
select 'column' as kind, column_name as name, meaning from {{ ref('published_columns') }}
union all
select 'rejection_reason' as kind, rejection_reason as name, meaning from {{ ref('rejection_reasons') }}
union all
select 'finding' as kind, finding as name, meaning from {{ ref('findings') }}
union all
select 'arm' as kind, arm as name, meaning from {{ ref('answer_arms') }}
union all
select 'anchor' as kind, anchor as name, meaning from {{ ref('answer_anchors') }}
union all
select 'provider' as kind, provider as name, description as meaning from {{ ref('providers') }}
union all
select
    'calibration_level' as kind,
    calibration_level::varchar as name,
    'The generator is told: ' || addendum as meaning,
from {{ ref('calibration_levels') }}
union all
select
    'band' as kind,
    band as name,
    concat(
        'The best score is ',
        case when min(lower_bound) > 0 then 'at least ' || min(lower_bound)::varchar end,
        case when min(lower_bound) > 0 and count(upper_bound) = count(*) then ' and ' end,
        case when count(upper_bound) = count(*) then 'below ' || max(upper_bound)::varchar end,
        '.'
    ) as meaning,
from {{ ref('score_bins') }}
group by band
