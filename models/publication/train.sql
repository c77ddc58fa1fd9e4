-- One row per published probe: the columns that the contract lists, in its order.
{{ config(materialized='view') }}

select
{%- for column in published_columns() %}
    {{ column.name }},
{%- endfor %}
from {{ ref('published_probes') }}
