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

{# Columns with the tokens of each kind in a group's responses, 0 without responses. #}
{% macro sums_of_tokens(responses) -%}
    {%- for kind in token_kinds() -%}
    coalesce(sum({{ responses }}.{{ kind }}_tokens), 0)::bigint as {{ kind }}_tokens,
    {% endfor -%}
{%- endmacro %}

{# Dollars for the tokens of a row of `used`, at the row `prices` of `token_prices`. Null where no price
   is known. #}
{% macro usd_of_tokens(used) -%}
    {%- for kind in token_kinds() -%}
    {{ used }}.{{ kind }}_tokens * prices.{{ kind }}_usd{{ ' + ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
