-- One row per column of `train`, as its contract lists it.
{{ config(materialized='view') }}

select
    position::bigint as position,
    column_name,
    column_type,
    meaning,
from (
    values
    {%- for column in published_columns() %}
    (
        {{ loop.index }},
        '{{ column.name }}',
        '{{ column.data_type }}',
        '{{ column.description.split() | join(' ') | replace("'", "''") }}'
    ){{ ',' if not loop.last }}
    {%- endfor %}
) as listed (position, column_name, column_type, meaning)
