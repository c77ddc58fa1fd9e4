{# Whether a method tells the atom from the wrong answer, by how much more likely it finds the atom: one that
   cannot tell them apart is right half of the time. #}
{% macro contrast_accuracy(margin) -%}
    case when {{ margin }} > 0 then 1.0 when {{ margin }} = 0 then 0.5 when {{ margin }} < 0 then 0.0 end::double
{%- endmacro %}
