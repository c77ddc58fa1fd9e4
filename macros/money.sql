{# Tokens that a request is expected to read, from the row `prices` of `request_prices`. #}
{% macro expected_input_tokens(input_characters) -%}
    coalesce(
        prices.known_input_tokens,
        (prices.prompt_characters + {{ input_characters }}) / {{ var('characters_per_token') }}
    )
{%- endmacro %}

{# What a request costs that writes `output_tokens`, from the row `prices` of `request_prices`. #}
{% macro request_usd(input_characters, output_tokens) -%}
    {{ expected_input_tokens(input_characters) }} * prices.input_usd
    + {{ output_tokens }} * prices.output_usd
{%- endmacro %}

{# A sum of which nothing is known if one of its parts is not. #}
{% macro known_sum(column) -%}
    case when count({{ column }}) = count(*) then coalesce(sum({{ column }}), 0) end
{%- endmacro %}
