{# No value lies outside of these two; null is no value. #}
{% test between(model, column_name, min_value, max_value) %}

select *
from {{ model }}
where not {{ column_name }} between {{ min_value }} and {{ max_value }}

{% endtest %}
