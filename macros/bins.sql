{# Whether a score is in a bin of `score_bins`: its lower bound belongs to it, its upper to the next. #}
{% macro is_in_bin(score, bins) -%}
    {{ score }} >= {{ bins }}.lower_bound and {{ score }} < coalesce({{ bins }}.upper_bound, 'infinity'::double)
{%- endmacro %}

{# One row: the score from which on an answer is in the middle, and that from which on it is easy. #}
{% macro band_thresholds() -%}
    select
        min(lower_bound) filter (where band = 'middle') as middle_threshold,
        min(lower_bound) filter (where band = 'easy') as easy_threshold,
    from {{ ref('score_bins') }}
{%- endmacro %}
