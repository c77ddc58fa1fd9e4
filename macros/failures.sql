{# Names and values of some columns, as text. #}
{% macro row_label(columns) -%}
    {%- if columns -%}
        {%- set fields = [] -%}
        {%- for column in columns | unique -%}
            {%- do fields.append(column ~ ' := ' ~ column) -%}
        {%- endfor -%}
        struct_pack({{ fields | join(', ') }})::varchar
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}

{# dbt's own data test, extended to print the first failing rows, which dbt only counts. #}
{% materialization test, adapter='duckdb' %}

    {%- set outcome = dbt.materialization_test_default() -%}
    {%- if load_result('main')['data'][0][0] -%}
        {%- for row in run_query('select * from (' ~ sql ~ ') limit 5') -%}
            {%- set values = [] -%}
            {%- for name, value in row.dict().items() -%}
                {%- do values.append(name ~ ': ' ~ (value | string | truncate(120, true))) -%}
            {%- endfor -%}
            {%- do log('  ' ~ model['alias'] ~ ': ' ~ values | join(', '), info=true) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do return(outcome) -%}

{% endmaterialization %}
