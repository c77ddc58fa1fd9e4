{#
    Facts about single rows and columns of a table, in one test, since dbt takes about 30 ms for each.
    Returns a row for each violation: the rule, and the key of the row that violates it.
#}
{% test rules(
    model,
    key=[],
    unique=[],
    not_null=[],
    accepted_values={},
    between={},
    null_exactly_when={},
    holds={},
    relationships={},
    max_rows=none
) %}

{%- set quoted = "'" -%}
{%- set keys = [] -%}
{%- for columns in ([key] if key else []) + unique -%}
    {%- do keys.append([columns] if columns is string else columns) -%}
{%- endfor -%}
{%- set identifying = keys[0] if keys else not_null[:1] -%}

{#- What each row must fulfil: the rule as it is reported, and a condition that is never null. -#}
{%- set conditions = {} -%}
{%- for column in (keys[0] if key else []) + not_null -%}
    {%- do conditions.update({column ~ ' is not null': column ~ ' is not null'}) -%}
{%- endfor -%}
{%- for column, values in accepted_values.items() -%}
    {%- set texts = [] -%}
    {%- for value in values -%}
        {%- set text = (value | string | lower) if value is boolean else (value | string) -%}
        {%- do texts.append(quoted ~ text | replace(quoted, quoted * 2) ~ quoted) -%}
    {%- endfor -%}
    {%- set listed = texts | join(', ') -%}
    {%- do conditions.update({
        column ~ ' is one of ' ~ values | join(', '):
            'coalesce(' ~ column ~ '::varchar in (' ~ listed ~ '), true)'
    }) -%}
{%- endfor -%}
{%- for column, bounds in between.items() -%}
    {%- set rule = column ~ ' between ' ~ bounds[0] ~ ' and ' ~ bounds[1] -%}
    {%- do conditions.update({rule: 'coalesce(' ~ rule ~ ', true)'}) -%}
{%- endfor -%}
{%- for column, condition in null_exactly_when.items() -%}
    {%- do conditions.update({
        column ~ ' is null exactly when ' ~ condition:
            '(' ~ column ~ ' is null) = coalesce(' ~ condition ~ ', false)'
    }) -%}
{%- endfor -%}
{%- for rule, condition in holds.items() -%}
    {%- do conditions.update({rule: 'coalesce(' ~ condition ~ ', false)'}) -%}
{%- endfor -%}

with

violations (rule, violating_row) as (

    select '', '' where false
    {%- if conditions %}
    union all
    select
        unnest([
            {%- for rule, condition in conditions.items() %}
            case when not ({{ condition }}) then '{{ rule | replace(quoted, quoted * 2) }}' end,
            {%- endfor %}
        ]),
        {{ row_label(identifying) }}
    from {{ model }}
    where not ({{ conditions.values() | join(') or not (') }})
    {%- endif %}
    {%- for columns in keys %}
    union all
    select '{{ columns | join(", ") }} is unique', {{ row_label(columns) }}
    from {{ model }}
    {%- if columns | length == 1 %}
    where {{ columns[0] }} is not null
    {%- endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
    {%- endfor %}
    {%- for column, target in relationships.items() %}
    {%- set found_in = target if target.identifier is defined else target['to'] %}
    {%- set field = column if target.identifier is defined else target['field'] %}
    union all
    select
        '{{ column }} is found in {{ found_in.identifier }}.{{ field }}',
        {{ row_label(identifying + [column]) }}
    from {{ model }} as referring
    where
        {{ column }} is not null
        and not exists (
            select 1 from {{ found_in }} as found where found.{{ field }} = referring.{{ column }}
        )
    {%- endfor %}
    {%- if max_rows is not none %}
    union all
    select 'at most {{ max_rows }} row', count(*) || ' rows'
    from {{ model }}
    having count(*) > {{ max_rows }}
    {%- endif %}

)

select *
from violations
where rule is not null

{% endtest %}
