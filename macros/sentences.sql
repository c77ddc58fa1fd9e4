{# Whether a sentence of `measures.sentences` with this text is a proper sentence, not a menu, title or
   list item. The last one can be cut off. #}
{% macro is_prose(sentence, is_last) -%}
    n_words >= 4
    and (regexp_matches({{ sentence }}, '[.!?…]["''”’»)\]]*$') or n_words >= 12 or {{ is_last }})
{%- endmacro %}

{# Whether it is in another language, as far as this can be told from its number of letters. #}
{% macro is_other_language(sentence) -%}
    language != '{{ var("language") }}'
    and language_score >= 0.5
    and length(regexp_replace({{ sentence }}, '[^\p{L}\p{M}]', '', 'g')) >= 15
{%- endmacro %}
