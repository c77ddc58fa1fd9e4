{# Whether a score is in a bin of `score_bins`; the lower bound is inclusive, the upper exclusive. #}
{% macro is_in_bin(score, bins) -%}
    {{ score }} >= {{ bins }}.lower_bound and {{ score }} < coalesce({{ bins }}.upper_bound, 'infinity'::double)
{%- endmacro %}

{# One row: the minimum scores of the bands middle and easy. #}
{% macro band_thresholds() -%}
    select
        min(lower_bound) filter (where band = 'middle') as middle_threshold,
        min(lower_bound) filter (where band = 'easy') as easy_threshold,
    from {{ ref('score_bins') }}
{%- endmacro %}

{# The typicality by which a probe is counted: `neither` where a suffix probe has none, `none` for prefix targets. #}
{% macro typicality_group(probes) -%}
    if({{ probes }}.target = 'suffix', coalesce({{ probes }}.typicality, 'neither'), 'none')
{%- endmacro %}
