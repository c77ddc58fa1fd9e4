{# No value lies outside of these two; null is no value. #}
{% test between(model, column_name, lowest, highest) %}

select *
from {{ model }}
where not {{ column_name }} between {{ lowest }} and {{ highest }}

{% endtest %}
