{# The first four words of a text, as a list that case and punctuation do not touch. #}
{% macro first_words(text) -%}
    regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}]+')[:4]
{%- endmacro %}

{# Whether a verbalizer speaks of the way in which the probe was made. #}
{% macro names_boundary(text) -%}
    regexp_matches({{ text }}, '(?i)\b(prefix|suffix|split)(es|s|ting)?\b')
{%- endmacro %}

{# How a text is written: lower or capital at its start, or upper throughout. #}
{% macro letter_case(text) -%}
    case
        when left(trim({{ text }}), 1) = lower(left(trim({{ text }}), 1)) then 'lower'
        when length(trim({{ text }})) > 1 and {{ text }} = upper({{ text }}) then 'upper'
        else 'capital'
    end
{%- endmacro %}
