{# The column is a key: no two rows share its value, and it is never null. #}
{% test key(model, column_name) %}

select
    {{ column_name }},
    count(*) as n_rows,
from {{ model }}
group by all
having count(*) > 1 or {{ column_name }} is null

{% endtest %}
