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

{# The same for a mean of values from 0 to 1. If all are 0 or all are 1, a bootstrap has no variation;
   then the other end is the exact bound for a share of documents. #}
{% macro share_interval(sum_of_values, n_probes) -%}
    {%- set n_documents = 'count(*) filter (where ' ~ n_probes ~ ' > 0)' %}
    case
        when {{ n_documents }} < 5 then null
        when sum({{ sum_of_values }}) = 0
            then {'low': 0.0::double, 'high': 1 - 0.025::double ** (1 / {{ n_documents }})}
        when sum({{ sum_of_values }}) = sum({{ n_probes }})
            then {'low': 0.025::double ** (1 / {{ n_documents }}), 'high': 1.0::double}
        else {{ mean_interval(sum_of_values, n_probes) }}
    end
{%- endmacro %}

{# The same for several means over the same probes, as a list of structs: faster than individually. #}
{% macro mean_intervals(sums_of_values, n_probes) -%}
    mean_intervals(
        list(
            [{% for values in sums_of_values %}{{ values }}::double{{ ', ' if not loop.last }}{% endfor %}]
            order by source_model, doc_id
        ),
        list({{ n_probes }}::double order by source_model, doc_id),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}

{# The effective number of probes behind a mean over probes: as many independent probes would give the mean
   as precisely as these, of which those of a document are alike (Kish, Survey Sampling, 1965). The rows of
   the group are documents, each with its sum of values, its sum of their squares and its number of probes.
   At most the number of probes; null for fewer than five documents, or without variation between them. #}
{% macro effective_number(sum_of_values, sum_of_squares, n_probes) -%}
    {%- set total = 'sum(' ~ n_probes ~ ')' %}
    {%- set n_documents = 'count(*) filter (where ' ~ n_probes ~ ' > 0)' %}
    {%- set mean = 'sum(' ~ sum_of_values ~ ') / ' ~ total %}
    {#- The squared distances of documents' sums from what the mean gives them. -#}
    {%- set between -%}
        round(
            sum({{ sum_of_values }} ** 2)
            - 2 * {{ mean }} * sum({{ sum_of_values }} * {{ n_probes }})
            + ({{ mean }}) ** 2 * sum({{ n_probes }} ** 2),
            9
        )
    {%- endset %}
    case
        when {{ n_documents }} >= 5 and {{ between }} > 0
            then
                round(
                    least(
                        {{ total }},
                        -- The variance of probes over that of their mean, each without bias.
                        (sum({{ sum_of_squares }}) - sum({{ sum_of_values }}) * {{ mean }})
                        / ({{ total }} - 1)
                        * {{ total }} ** 2
                        * ({{ n_documents }} - 1) / {{ n_documents }}
                        / {{ between }}
                    ),
                    1
                )
    end
{%- endmacro %}

{# Krippendorff's alpha of two raters, as a struct of estimate, low and high. The rows of the group are
   documents, each with n_pairs, squared_difference, sum_of_scores and sum_of_squares. #}
{% macro alpha_interval() -%}
    alpha_interval(
        list(
            [n_pairs::double, squared_difference, sum_of_scores, sum_of_squares]
            order by source_model, doc_id
        ),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}

{# A correlation, as a struct of estimate, low and high. The rows of the group are documents, each with
   n_answers, sum_of_lengths, sum_of_scores, sum_of_products, sum_of_squared_lengths and
   sum_of_squared_scores. #}
{% macro correlation_interval() -%}
    correlation_interval(
        list(
            [
                n_answers,
                sum_of_lengths,
                sum_of_scores,
                sum_of_products,
                sum_of_squared_lengths,
                sum_of_squared_scores
            ]
            order by source_model, doc_id
        ),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}

{# The same for a standard deviation, from the sums of values and of their squares. #}
{% macro spread_interval(sum_of_values, sum_of_squares, n_values) -%}
    spread_interval(
        list(
            [{{ sum_of_values }}::double, {{ sum_of_squares }}::double, {{ n_values }}::double]
            order by source_model, doc_id
        ),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}

{# Round a figure for storage, since the order of summation changes the last digits. #}
{% macro rounded(value) -%}
    round({{ value }}, 6)
{%- endmacro %}
