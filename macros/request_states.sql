{# Whether an attempt of a group has a state, at the current input: a changed input is another question. #}
{% macro has_attempt(state, requests) -%}
    coalesce(
        bool_or(attempts.state = '{{ state }}' and attempts.input_hash = {{ requests }}.input_hash), false
    )
{%- endmacro %}

{# Whether the `attempts` of a group have reached the maximum, or the model refused. Only attempts on the
   current input count, and only those that a provider accepted. An answer that a recording lacks was not asked
   for. #}
{% macro has_no_attempts_left(requests) -%}
    count(attempts.attempt) filter (
        where
            attempts.state not in ('released', 'not_recorded')
            and attempts.input_hash = {{ requests }}.input_hash
    ) >= {{ var('max_attempts') }}
    or {{ has_attempt('refused', requests) }}
{%- endmacro %}

{#
    How each request of a relation stands. `requests` needs request_id and input_hash.

    answered  a usable response to the current input; `attempt` is the first such
    open      an attempt is on its way, or landed after the last build
    stale     answered, but its input has changed since
    refused   the model refused to answer, and is not asked again
    failed    asked as often as allowed, without a usable response
    pending   to be asked, as `next_attempt`
    not_recorded   the recording has no answer; other providers can be asked
#}
{% macro request_states(requests) -%}
    select
        requests.request_id,
        min(attempts.attempt) filter (
            where attempts.state = 'usable' and attempts.input_hash = requests.input_hash
        ) as attempt,
        coalesce(max(attempts.attempt), 0) + 1 as next_attempt,
        case
            when {{ has_attempt('usable', 'requests') }} then 'answered'
            when bool_or(attempts.state = 'open') then 'open'
            {%- if not var('ask_stale_again') %}
            when bool_or(attempts.state = 'usable') then 'stale'
            {%- endif %}
            when {{ has_attempt('refused', 'requests') }} then 'refused'
            when {{ has_no_attempts_left('requests') }} then 'failed'
            when
                arg_max(attempts.state, attempts.attempt) filter (
                    where attempts.input_hash = requests.input_hash
                ) = 'not_recorded'
                then 'not_recorded'
            else 'pending'
        end as state
    from {{ requests }} as requests
    left join {{ ref('attempts') }} as attempts on requests.request_id = attempts.request_id
    group by requests.request_id
{%- endmacro %}

{# Whether a request with these settings, as they landed, asks a model to think and to answer by a schema. #}
{% macro thinks_by_schema(settings) -%}
    coalesce(
        {{ settings }} ->> '$.is_structured' = 'true'
        and {{ settings }} ->> '$.thinking' != 'none'
        and ({{ settings }} ->> '$.thinking_tokens')::bigint > 0,
        false
    )
{%- endmacro %}

{# The message with which a provider refused a request for its schema, from a line of results in the form of
   Anthropic's Messages API; null if it did not. Other faults of thinking are not mended by leaving out the schema. #}
{% macro schema_refusal(line) -%}
    case
        when
            {{ line }} ->> '$.result.error.error.type' = 'invalid_request_error'
            and regexp_matches(
                {{ line }} ->> '$.result.error.error.message',
                '(?i)schema|structured.?output|output_format|output_config(?:\.format|[^.\w]|$)'
            )
            then {{ line }} ->> '$.result.error.error.message'
    end
{%- endmacro %}
