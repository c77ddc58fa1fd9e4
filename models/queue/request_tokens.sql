-- One row per stage and model: the tokens of a request.
-- Measured where responses have landed, else counted before sending, else estimated.
with

measured as (

    select
        stage,
        asked_model as model,
        avg(
            input_tokens
            + cache_write_five_minutes_tokens
            + cache_write_one_hour_tokens
            + cache_read_tokens
        ) as input_tokens,
        avg(output_tokens) as output_tokens,
    from {{ ref('responses') }}
    where outcome = 'succeeded' and input_tokens is not null
    group by all

),

-- Of the wording of the prompt that was counted last.
counted as (

    select
        requests.stage,
        counts.model,
        avg(counts.input_tokens) as input_tokens,
    from {{ ref('stg_token_counts') }} as counts
    join {{ ref('all_requests') }} as requests using (request_id)
    group by requests.stage, counts.model, counts.prompt_hash
    qualify row_number() over (
        partition by requests.stage, counts.model
        order by max(counts.counted_at) desc, counts.prompt_hash
    ) = 1

),

asked as (

    select
        'generator' as stage,
        generator_model as model,
    from {{ ref('round_settings') }}
    union
    select
        'answerer' as stage,
        answerer_model as model,
    from {{ ref('round_arms') }}
    union
    select
        'judge' as stage,
        judge_model as model,
    from {{ ref('round_settings') }}
    union
    select
        'judge' as stage,
        judge_model as model,
    from {{ ref('judge_checks') }}

)

select
    asked.stage,
    asked.model,
    case
        when measured.stage is not null then 'measured'
        when counted.stage is not null then 'counted'
        else 'estimated'
    end as token_basis,
    coalesce(measured.input_tokens, counted.input_tokens) as known_input_tokens,
    coalesce(measured.output_tokens, stages.expected_output_tokens) as output_tokens,
    stages.max_tokens,
    stages.prompt_characters,
    stages.expected_input_characters,
from asked
join {{ ref('stages') }} as stages using (stage)
left join measured on asked.stage = measured.stage and asked.model = measured.model
left join counted on asked.stage = counted.stage and asked.model = counted.model
order by asked.stage, asked.model
