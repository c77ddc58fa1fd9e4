{# How dbt loads a seed: without detecting its dialect, so that it reads what the commands have checked. #}
{% macro duckdb__load_csv_rows(model, agate_table) %}
    {#- In brackets, wildcards are literal. -#}
    {%- set file = adapter.get_seed_file_path(model)
        | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') | replace("'", "''") -%}
    {%- set statement -%}
        copy {{ this.render() }} from '{{ file }}' (
            format csv, header true, delimiter ',', quote '"', escape '"', auto_detect false
        )
    {%- endset -%}
    {%- do adapter.add_query(statement, abridge_sql_log=True) -%}
    {{- return(statement) -}}
{% endmacro %}
