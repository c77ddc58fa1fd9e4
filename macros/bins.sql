{# Whether a score is in a bin of `score_bins`: its lower bound belongs to it, its upper to the next. #}
{% macro is_in_bin(score, bins) -%}
    {{ score }} >= {{ bins }}.lowest and {{ score }} < coalesce({{ bins }}.below, 'infinity'::double)
{%- endmacro %}

{# One row: the score from which on an answer is in the middle, and that from which on it is easy. #}
{% macro band_borders() -%}
    select
        min(lowest) filter (where band = 'middle') as middle_from,
        min(lowest) filter (where band = 'easy') as easy_from,
    from {{ ref('score_bins') }}
{%- endmacro %}
