{# The part of a landed text that is measured. A text can be of any length, but what is more than five
   times the longest eligible one can only belong to a tail, or to a text that is too long. #}
{% macro measured_part(text) -%}
    left({{ text }}, {{ 5 * [var('max_continuation_length'), var('max_prefix_length')] | max }})
{%- endmacro %}

{# How a finished sentence ends: with a mark of any script, then quotes, brackets, emphasis and notes. #}
{% macro sentence_end() -%}
    [.!?…‥。！？｡؟۔।॥։።፧‼⁇⁈⁉]["\x27”’»›)\]}」』）】〉》*_]*(?:\[\d{1,3}\])*$
{%- endmacro %}

{# How a text ends with an abbreviation that goes before a name or an example: there it is not finished. #}
{% macro title_end() -%}
    (?:^|[^\p{L}\p{N}])(?:M[rsx]|Mrs|Messrs|Mmes?|Mlle|Dr|Prof|Rev|Msgr|St|Lt|Col|Gen|Maj|Capt|Cmdr|Adm|Sgt|Cpl|Pvt|Gov|Sen|Rep|Hon|Supt|Insp|Atty|Amb|Assoc|Ald|Ofc|vs|e\.g|i\.e|cf|viz)\.$
{%- endmacro %}

{# Whether a text ends with a finished sentence. #}
{% macro is_finished(text) -%}
    (regexp_matches({{ text }}, '{{ sentence_end() }}') and not regexp_matches({{ text }}, '{{ title_end() }}'))
{%- endmacro %}

{# Whether a sentence of `measures.sentences` with this text is a proper sentence, not a menu, title or
   list item. The last one can be cut off. #}
{% macro is_prose(sentence, is_last) -%}
    n_words >= 4 and ({{ is_finished(sentence) }} or n_words >= 12 or {{ is_last }})
{%- endmacro %}

{# Whether it is in another language, as far as this can be told from its number of letters. #}
{% macro is_other_language(sentence) -%}
    language != '{{ var("language") }}'
    and language_score >= 0.5
    and length(regexp_replace({{ sentence }}, '[^\p{L}\p{M}]', '', 'g')) >= 15
{%- endmacro %}
