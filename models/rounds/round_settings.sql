-- One row per round: the settings frozen when it started, otherwise those of its line and today's vars.
with

-- The levels of a calibration share their documents, and so what the first of them froze.
first_level as (

    select *
    from {{ ref('stg_started_rounds') }}
    where exists (from {{ ref('stg_calibration_rounds') }})
    order by round_number
    limit 1

)

select
    coalesce(line.round_number, started.round_number) as round_number,
    coalesce(started.n_docs, line.n_docs) as n_docs,
    coalesce(started.seed, line.seed) as seed,
    coalesce(started.source_model, line.source_model) as source_model,
    coalesce(started.calibration_level, line.calibration_level) as calibration_level,
    -- The number of answers can be increased at any time, but never reduced.
    greatest(started.n_answers, line.n_answers) as n_answers,
    coalesce(started.generator_model, line.generator_model) as generator_model,
    coalesce(started.answerer_model, line.answerer_model) as answerer_model,
    coalesce(started.judge_model, line.judge_model) as judge_model,
    {% for name in frozen_settings() -%}
    {%- set today = "'" ~ var(name) ~ "'" if var(name) is string else var(name) -%}
    coalesce(started.{{ name }}, first_level.{{ name }}, {{ today }}) as {{ name }},
    {% endfor -%}
    coalesce(line.is_calibration, false) as is_calibration,
    coalesce(line.is_adopted, false) as is_adopted,
    started.started_at,
    case
        when line.withdrawn then 'withdrawn'
        when started.round_number is not null then 'started'
        else 'proposed'
    end as state,
from {{ ref('requested_rounds') }} as line
full join {{ ref('stg_started_rounds') }} as started using (round_number)
left join first_level on true
order by round_number
