{# The 95 % interval of a mean over probes, as a struct of low and high: by a bootstrap over documents.
   The rows of the group are documents, each with its sum of values and its number of probes. Null for
   fewer documents than `min_documents`, or if nothing varies. #}
{% macro mean_interval(sum_of_values, n_probes) -%}
    {{ if_enough_documents(n_probes, interval_of_documents('mean_interval', sum_of_values, n_probes)) }}
{%- endmacro %}

{# The same for a mean of values from 0 to 1: exact bounds if few documents have an event, or lack one. #}
{% macro share_interval(sum_of_values, n_probes) -%}
    {{ if_enough_documents(n_probes, interval_of_documents('share_interval', sum_of_values, n_probes)) }}
{%- endmacro %}

{# The same for a mean of values from -1 to 1: exact bounds if few documents differ from 0, or none from
   another. #}
{% macro difference_interval(sum_of_values, n_probes) -%}
    {{ if_enough_documents(n_probes, interval_of_documents('difference_interval', sum_of_values, n_probes)) }}
{%- endmacro %}

{# A figure of a group of documents, or null if there are fewer than an interval needs. #}
{% macro if_enough_documents(n_probes, figure) -%}
    case
        when count(*) filter (where {{ n_probes }} > 0) >= {{ var('min_documents') }} then {{ figure }}
    end
{%- endmacro %}

{# The interval of an accuracy minus a baseline's on the same probes. If the baseline is a guess for all of
   them, its accuracy is known, and the interval is that of the accuracy, shifted. #}
{% macro difference_from_baseline_interval(sum_of_differences, sum_of_baselines, n_probes) -%}
    {%- set accuracy = sum_of_differences ~ ' + ' ~ n_probes ~ ' / 2' -%}
    case
        when bool_and(coalesce({{ sum_of_baselines }}, 0) = {{ n_probes }} / 2)
            then
                list_transform(
                    [{{ share_interval('(' ~ accuracy ~ ')', n_probes) }}],
                    lambda x: {'low': x.low - 0.5, 'high': x.high - 0.5}
                )[1]
        else {{ difference_interval(sum_of_differences, n_probes) }}
    end
{%- endmacro %}

{# One of these functions over documents, however few. #}
{% macro interval_of_documents(function, sum_of_values, n_probes) -%}
    {{ function }}(
        list({{ sum_of_values }}::double order by source_model, doc_id),
        list({{ n_probes }}::double order by source_model, doc_id),
        {{ var('bootstrap_replicates') }},
        {{ var('bootstrap_seed') }}
    )
{%- endmacro %}

{# The same for several means over the same probes, as a list of structs: faster than individually. #}
{% macro mean_intervals(sums_of_values, n_probes) -%}
    {%- set intervals -%}
        mean_intervals(
            list(
                [{% for values in sums_of_values %}{{ values }}::double{{ ', ' if not loop.last }}{% endfor %}]
                order by source_model, doc_id
            ),
            list({{ n_probes }}::double order by source_model, doc_id),
            {{ var('bootstrap_replicates') }},
            {{ var('bootstrap_seed') }}
        )
    {%- endset -%}
    {{ if_enough_documents(n_probes, intervals) }}
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
    {%- set interval -%}
        spread_interval(
            list(
                [{{ sum_of_values }}::double, {{ sum_of_squares }}::double, {{ n_values }}::double]
                order by source_model, doc_id
            ),
            {{ var('bootstrap_replicates') }},
            {{ var('bootstrap_seed') }}
        )
    {%- endset -%}
    {{ if_enough_documents(n_values, interval) }}
{%- endmacro %}

{# An end of the interval of alpha or of a correlation, of a row with its number of documents, for storage. #}
{% macro rounded_end(value) -%}
    case when n_documents >= {{ var('min_documents') }} then {{ rounded(value) }} end
{%- endmacro %}

{# Round a figure for storage, since the order of summation changes the last digits. #}
{% macro rounded(value) -%}
    round({{ value }}, 6)
{%- endmacro %}
