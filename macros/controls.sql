{# Whether a probe is among the share of its round that controls are asked of. All controls draw by
   the same number, so that a smaller share lies within a larger one. #}
{% macro is_in_control_sample(seed, probe_id, share) -%}
    {{ seeded_share([seed, probe_id, "'controls'"]) }} < {{ share }}
{%- endmacro %}
