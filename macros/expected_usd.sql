{# What a request is expected to cost, from the columns of `request_prices` and its input. #}
{% macro expected_usd(input_characters) -%}
    coalesce(
        prices.measured_input_tokens,
        (prices.prompt_characters + {{ input_characters }}) / {{ var('characters_per_token') }}
    ) * prices.input_usd
    + prices.output_tokens * prices.output_usd
{%- endmacro %}
