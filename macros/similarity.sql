{# Estimated Jaccard similarity of two texts: the share of places at which their signatures agree. #}
{% macro similarity(signature, other) -%}
    len(
        list_filter(list_zip({{ signature }}, {{ other }}), lambda pair: pair[1] = pair[2])
    ) / len({{ signature }})
{%- endmacro %}
