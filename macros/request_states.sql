{# Whether the `attempts` of a group have reached the maximum. Only attempts on the current input count,
   since a changed input is another question, and only those that a provider accepted. #}
{% macro has_no_attempts_left(requests) -%}
    count(attempts.attempt) filter (
        where attempts.state != 'released' and attempts.input_hash = {{ requests }}.input_hash
    ) >= {{ var('max_attempts') }}
{%- endmacro %}

{#
    How each request of a relation stands. `requests` needs request_id and input_hash.

    answered  a usable response to the current input; `attempt` is the first such
    open      an attempt is on its way, or landed after the last build
    stale     answered, but its input has changed since
    failed    asked as often as allowed, without a usable response
    pending   to be asked, as `next_attempt`
#}
{% macro request_states(requests) -%}
    select
        requests.request_id,
        min(attempts.attempt) filter (
            where attempts.state = 'usable' and attempts.input_hash = requests.input_hash
        ) as attempt,
        coalesce(max(attempts.attempt), 0) + 1 as next_attempt,
        case
            when
                bool_or(attempts.state = 'usable' and attempts.input_hash = requests.input_hash)
                then 'answered'
            when bool_or(attempts.state = 'open') then 'open'
            {%- if not var('ask_stale_again') %}
            when bool_or(attempts.state = 'usable') then 'stale'
            {%- endif %}
            when {{ has_no_attempts_left('requests') }} then 'failed'
            else 'pending'
        end as state
    from {{ requests }} as requests
    left join {{ ref('attempts') }} as attempts on requests.request_id = attempts.request_id
    group by requests.request_id
{%- endmacro %}
