{# Estimated Jaccard similarity of two texts: the share of places at which their signatures agree. #}
{% macro similarity(signature, other) -%}
    len(
        list_filter(list_zip({{ signature }}, {{ other }}), lambda pair: pair[1] = pair[2])
    ) / len({{ signature }})
{%- endmacro %}

{# A band of a signature, of 32: two texts that agree in one may be similar. #}
{% macro signature_band(signature, number) -%}
    hash(list_slice({{ signature }}, {{ number }} * 4 + 1, {{ number }} * 4 + 4))
{%- endmacro %}
