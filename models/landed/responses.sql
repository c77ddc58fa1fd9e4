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
        landed.body ->> '$.result.message.usage.output_tokens_details.thinking_tokens' as thinking,
    from {{ ref('stg_responses') }} as landed
    join {{ ref('stg_requests') }} as requests
        on landed.request_id = requests.request_id and landed.attempt = requests.attempt

),

told as (

    select
        * exclude (message),
        nullif(trim(message.model), '') as named_model,
        message.stop_reason,
        {{ without_thinking('message.text') }} as text,
        message.usage,
        {{ is_stated('message.usage', 'message.text') }} as has_usage,
        case when regexp_full_match(thinking, '\d{1,9}') then thinking::bigint end as stated_thinking_tokens,
    from read

),

named as (

    select
        told.*,
        aliases.model is not null as has_alias,
        nullif(reasons.problem, '') as problem_at_end,
        reasons.stop_reason is not null as is_known_end,
    from told
    left join {{ ref('stop_reasons') }} as reasons on told.stop_reason = reasons.stop_reason
    left join {{ ref('model_aliases') }} as aliases
        on
            told.asked_model = aliases.model
            and told.named_model is not distinct from nullif(aliases.alias, '')

)

select
    request_id,
    attempt,
    stage,
    round_number,
    asked_model,
    outcome,
    -- A declared alias is not published: it can be the path of a file, or missing.
    if(has_alias, asked_model, named_model) as model,
    stop_reason,
    -- Unknown is not nothing: without complete usage, input and output are null.
    case when has_usage then usage.input_tokens end as input_tokens,
    case when has_usage then usage.output_tokens end as output_tokens,
    case when has_usage and stated_thinking_tokens <= usage.output_tokens then stated_thinking_tokens end
        as thinking_tokens,
    {%- for kind in ['cache_write_one_hour', 'cache_write_five_minutes', 'cache_read'] %}
    if(has_usage, coalesce(usage.{{ kind }}_tokens, 0), 0) as {{ kind }}_tokens,
    {%- endfor %}
    text,
    case
        when outcome != 'succeeded' then null
        when not has_alias and not {{ is_named('named_model', 'asked_model') }} then 'other_model'
        -- An answer up to the token limit is one, and is marked as truncated.
        when stage = 'answerer' and problem_at_end = 'cut_off' and not {{ is_blank('text') }} then null
        when problem_at_end is not null then problem_at_end
        when stop_reason is null then 'no_stop_reason'
        when not is_known_end then 'unknown_stop_reason'
        when stage = 'answerer' and {{ is_blank('text') }} then 'blank'
        when stage = 'judge' and {{ stated_score('text') }} is null then 'no_score'
    end as problem,
    -- Whether the response settles its request. A problem of a generator's answer rejects its slots.
    outcome = 'succeeded'
    and (problem is null or (stage = 'generator' and problem != 'other_model')) as is_usable,
from named
order by request_id, attempt
