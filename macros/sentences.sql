{# Whether a sentence of `measures.sentences` with this text is one, and no menu, title or item. The
   last one may be cut off. #}
{% macro is_prose(sentence, is_last) -%}
    n_words >= 4
    and (regexp_matches({{ sentence }}, '[.!?…]["''”’»)\]]*$') or n_words >= 12 or {{ is_last }})
{%- endmacro %}

{# Whether it is in another language, as far as so many letters tell. #}
{% macro is_other_language(sentence) -%}
    language != '{{ var("language") }}'
    and language_score >= 0.5
    and length(regexp_replace({{ sentence }}, '[^\p{L}\p{M}]', '', 'g')) >= 15
{%- endmacro %}
