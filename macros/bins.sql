{# Whether a score is in a bin of `score_bins`: its lower bound belongs to it, its upper to the next. #}
{% macro is_in_bin(score, bins) -%}
    {{ score }} >= {{ bins }}.lowest and {{ score }} < coalesce({{ bins }}.below, 'infinity'::double)
{%- endmacro %}
