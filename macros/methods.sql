{# The name that the round's own answerer has among the evaluated methods. #}
{% macro text_only_answerer() -%}
    'text-only answerer'
{%- endmacro %}

{# A name without case and without white space around it. #}
{% macro folded_name(name) -%}
    lower(regexp_replace({{ name }}, '^[\s\p{Z}\p{C}]+|[\s\p{Z}\p{C}]+$', '', 'g'))
{%- endmacro %}

{# Whether answers have the name of a baseline that answers by itself, without being the baseline's own. #}
{% macro is_reserved_method(name, file_hash) -%}
    (
        {{ folded_name(name) }} = {{ text_only_answerer() }}
        or ({{ folded_name(name) }} = 'lexical' and {{ file_hash }} != 'lexical')
    )
{%- endmacro %}
