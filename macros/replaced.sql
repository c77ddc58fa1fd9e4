{#
    Tables and views are replaced in one statement, which DuckDB does as a whole or not at all.
    dbt-duckdb builds them beside the old ones and renames both: six statements, most of a build's time.
#}
{% materialization table, adapter='duckdb' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {{ return(replaced('view')) }}
{% endmaterialization %}

{% macro replaced(kind) %}
    {%- set relation = this.incorporate(type=kind) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing and existing.type != kind -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {%- if config.get('contract').enforced -%}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif -%}
        create or replace {{ kind }} {{ relation }} as (
            {{ sql }}
        )
    {%- endcall -%}
    {%- do adapter.commit() -%}
    {{ return({'relations': [relation]}) }}
{% endmacro %}
