{# The 95 % interval of a mean over probes, as a struct of low and high: by a bootstrap over documents.
   The rows of the group are documents, each with its sum of values and its number of probes. Null for
   fewer than five documents. #}
{% macro mean_interval(sum_of_values, n_probes) -%}
    mean_interval(
        list({{ sum_of_values }}::double order by source_model, doc_id),
        list({{ n_probes }}::double order by source_model, doc_id),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}
