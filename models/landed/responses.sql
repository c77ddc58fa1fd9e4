-- One row per attempt that ended: the text and usage of its message, taken out once.
with

read as (

    select
        requests.request_id,
        requests.attempt,
        requests.stage,
        requests.round_number,
        requests.model as asked_model,
        landed.outcome,
        from_json(
            landed.body -> '$.result.message',
            '{
                "model": "VARCHAR",
                "stop_reason": "VARCHAR",
                "content": [{"type": "VARCHAR", "text": "VARCHAR"}],
                "usage": {
                    "input_tokens": "BIGINT",
                    "output_tokens": "BIGINT",
                    "cache_creation_input_tokens": "BIGINT",
                    "cache_read_input_tokens": "BIGINT",
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": "BIGINT",
                        "ephemeral_1h_input_tokens": "BIGINT"
                    }
                }
            }'
        ) as message,
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
        coalesce(message.usage.cache_creation.ephemeral_1h_input_tokens, 0)
            as cache_write_one_hour_tokens,
        -- Where the usage does not tell the two apart, all that was written is for five minutes.
        coalesce(
            message.usage.cache_creation.ephemeral_5m_input_tokens,
            message.usage.cache_creation_input_tokens - cache_write_one_hour_tokens,
            0
        ) as cache_write_five_minutes_tokens,
        coalesce(message.usage.cache_read_input_tokens, 0) as cache_read_tokens,
        array_to_string(
            list_transform(
                list_filter(message.content, lambda block: block.type = 'text'),
                lambda block: block.text
            ),
            ''
        ) as text,
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
