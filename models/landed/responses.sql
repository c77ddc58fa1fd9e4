-- One row per attempt that ended: the text and usage of its message, read once.
with

read as (

    select
        requests.request_id,
        requests.attempt,
        requests.stage,
        requests.round_number,
        requests.model as asked_model,
        landed.outcome,
        -- What landed without these columns is read from its line of results.
        case
            when
                coalesce(landed.text, landed.stop_reason, landed.model) is null
                and landed.usage is null
                then landing.read_messages_api(landed.body)
            else {
                'text': landed.text,
                'stop_reason': landed.stop_reason,
                'model': landed.model,
                'usage': landed.usage
            }
        end as message,
    from {{ ref('stg_responses') }} as landed
    join {{ ref('stg_requests') }} as requests
        on landed.request_id = requests.request_id and landed.attempt = requests.attempt

),

spoken as (

    select
        * exclude (message),
        message.model,
        message.stop_reason,
        message.usage.input_tokens,
        message.usage.output_tokens,
        coalesce(message.usage.cache_write_one_hour_tokens, 0) as cache_write_one_hour_tokens,
        coalesce(message.usage.cache_write_five_minutes_tokens, 0)
            as cache_write_five_minutes_tokens,
        coalesce(message.usage.cache_read_tokens, 0) as cache_read_tokens,
        message.text,
    from read

)

select
    *,
    -- Whether the response settles its request, as far as the text alone can tell.
    outcome = 'succeeded'
    and coalesce(
        case stage
            when 'generator' then true
            when 'answerer' then not {{ is_blank('text') }}
            when 'judge' then {{ stated_score('text') }} is not null
        end,
        false
    ) as is_usable,
from spoken
order by request_id, attempt
