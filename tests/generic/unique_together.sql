{# The columns are a key together: no two rows share their values, and none of them is null. #}
{% test unique_together(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as n_rows,
from {{ model }}
group by all
having count(*) > 1 or {{ columns | join(' is null or ') }} is null

{% endtest %}
