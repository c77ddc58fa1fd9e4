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

{# Columns with the tokens of each kind in a group's responses, 0 without responses. #}
{% macro sums_of_tokens(responses) -%}
    {%- for kind in [
        'input_tokens',
        'output_tokens',
        'cache_write_five_minutes_tokens',
        'cache_write_one_hour_tokens',
        'cache_read_tokens',
    ] -%}
    coalesce(sum({{ responses }}.{{ kind }}), 0)::bigint as {{ kind }},
    {% endfor -%}
{%- endmacro %}
