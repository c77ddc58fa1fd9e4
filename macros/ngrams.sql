{# Log-probability of a word after another under the n-gram model, a bigram model that backs off to the
   word's own frequency with a weight of two pairs. Counts are numbers of documents, without those that the
   words are taken from; a count that is missing is 0. #}
{% macro pair_log_probability(n_pair, n_pairs_of_first, share_of_second) -%}
    ln(
        (greatest(coalesce({{ n_pair }}, 0), 0) + 2 * {{ share_of_second }})
        / (greatest(coalesce({{ n_pairs_of_first }}, 0), 0) + 2)
    )
{%- endmacro %}

{# What rules that need no language model look at, of a row of `wrong_answer_measures`: overlap, length,
   frequency and n-gram. A lens without a complete word has neither of the last two. #}
{% macro rule_values(candidate) -%}
    [
        {{ candidate }}.overlap,
        ln({{ candidate }}.length),
        {{ candidate }}.frequency,
        {{ candidate }}.probability
    ]
{%- endmacro %}
