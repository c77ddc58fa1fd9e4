{# Hash of a tuple of values: null-safe, and unambiguous between tuples. #}
{% macro identity(values) -%}
    md5(json_array({{ values | join(', ') }})::varchar)
{%- endmacro %}

{# A pseudo-random non-negative int64 from a tuple of values: the same on every machine and version. #}
{% macro seeded_integer(values) -%}
    ('0x' || left({{ identity(values) }}, 15))::bigint
{%- endmacro %}

{# A pseudo-random double in (0, 1) from a tuple of values. #}
{% macro seeded_share(values) -%}
    (({{ seeded_integer(values) }} + 0.5) / 1152921504606846976.0)
{%- endmacro %}

{# Weight of an index in a log-uniform draw, 1/n, as an integer: sums of integers are exact in any order. #}
{% macro index_weight(n) -%}
    (1000000000 // {{ n }})::bigint
{%- endmacro %}
