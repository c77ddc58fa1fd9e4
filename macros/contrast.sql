{# Whether a method prefers the atom to the wrong answer, from the difference of their log-probabilities;
   a tie counts one half. #}
{% macro contrast_accuracy(margin) -%}
    case when {{ margin }} > 0 then 1.0 when {{ margin }} = 0 then 0.5 when {{ margin }} < 0 then 0.0 end::double
{%- endmacro %}
