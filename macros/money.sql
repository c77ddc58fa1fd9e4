{# Expected input tokens of a request, from the row `prices` of `request_prices`. #}
{% macro expected_input_tokens(input_characters) -%}
    coalesce(
        prices.known_input_tokens,
        (prices.prompt_characters + {{ input_characters }}) / {{ var('characters_per_token') }}
    )
{%- endmacro %}

{# Cost of a request with `output_tokens`, from the row `prices` of `request_prices`. #}
{% macro request_usd(input_characters, output_tokens) -%}
    {{ expected_input_tokens(input_characters) }} * prices.input_usd
    + {{ output_tokens }} * prices.output_usd
{%- endmacro %}

{# A sum that is null if any of its terms is null. #}
{% macro sum_or_null(column) -%}
    case when count({{ column }}) = count(*) then coalesce(sum({{ column }}), 0) end
{%- endmacro %}

{# The kinds of tokens that are billed, each at a price of its own. #}
{% macro token_kinds() -%}
    {{ return([
        'input',
        'output',
        'cache_write_five_minutes',
        'cache_write_one_hour',
        'cache_read',
    ]) }}
{%- endmacro %}

{# Whether a response states its usage, completely and possibly: a prompt and a text are not without tokens,
   and no message has a billion of them. #}
{% macro is_stated(usage, text) -%}
    coalesce(
        {%- for kind in token_kinds() %}
        {%- set tokens = usage ~ '.' ~ kind ~ '_tokens' %}
        {{ tokens if kind in ('input', 'output') else 'coalesce(' ~ tokens ~ ', 0)' }} between 0 and 1e9
        and
        {%- endfor %}
        greatest(
            {{ usage }}.input_tokens,
            {{ usage }}.cache_write_five_minutes_tokens,
            {{ usage }}.cache_write_one_hour_tokens,
            {{ usage }}.cache_read_tokens
        ) > 0
        and ({{ usage }}.output_tokens > 0 or {{ is_blank(text) }}),
        false
    )
{%- endmacro %}

{# Columns with the tokens of each kind in a group's responses, 0 without responses. #}
{% macro sums_of_tokens(responses) -%}
    {%- for kind in token_kinds() -%}
    coalesce(sum({{ responses }}.{{ kind }}_tokens), 0)::bigint as {{ kind }}_tokens,
    {% endfor -%}
{%- endmacro %}

{# Dollars for the tokens of a row of `used`, at the row `prices` of `token_prices`. Null where a price or a
   number of tokens is unknown; an unknown number of free tokens is free. #}
{% macro usd_of_tokens(used) -%}
    {%- for kind in token_kinds() -%}
    if(prices.{{ kind }}_usd = 0, 0, {{ used }}.{{ kind }}_tokens * prices.{{ kind }}_usd)
    {{- ' + ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
