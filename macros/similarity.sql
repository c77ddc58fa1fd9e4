{# Estimated Jaccard similarity of two texts: the share of positions at which their MinHash signatures
   agree. #}
{% macro similarity(signature, other) -%}
    len(
        list_filter(list_zip({{ signature }}, {{ other }}), lambda pair: pair[1] = pair[2])
    ) / len({{ signature }})
{%- endmacro %}

{# One of 32 LSH bands of a signature: texts that agree in a band are candidates for similarity. #}
{% macro signature_band(signature, number) -%}
    hash(list_slice({{ signature }}, {{ number }} * 4 + 1, {{ number }} * 4 + 4))
{%- endmacro %}
