{# Whether a probe is in the share of its round on which a control is run. All controls use the same
   draw, so a smaller share is a subset of a larger one. #}
{% macro is_in_control_sample(seed, probe_id, share) -%}
    {{ seeded_share([seed, probe_id, "'controls'"]) }} < {{ share }}
{%- endmacro %}
