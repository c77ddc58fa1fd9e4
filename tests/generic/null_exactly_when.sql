{# The column is null exactly where the condition is true; a condition that is null counts as false. #}
{% test null_exactly_when(model, column_name, condition) %}

select *
from {{ model }}
where ({{ column_name }} is null) != coalesce({{ condition }}, false)

{% endtest %}
