{# The first four words of a text, as a list that case and punctuation do not touch. #}
{% macro first_words(text) -%}
    regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}]+')[:4]
{%- endmacro %}

{# Whether a verbalizer speaks of the way in which the probe was made. #}
{% macro mentions_split(text) -%}
    regexp_matches({{ text }}, '(?i)\b(prefix|suffix|split)')
{%- endmacro %}

{# A text as it is compared: lower case, without the white space around it. #}
{% macro normalized_text(text) -%}
    lower(regexp_replace({{ text }}, '^[\s\p{Z}]+|[\s\p{Z}]+$', '', 'g'))
{%- endmacro %}

{# Whether a text says nothing, or is null. #}
{% macro is_blank(text) -%}
    coalesce(regexp_full_match({{ text }}, '[\s\p{Z}\p{C}]*'), true)
{%- endmacro %}

{# A text that says something, else null. #}
{% macro text_or_null(text) -%}
    case when not {{ is_blank(text) }} then {{ text }} end
{%- endmacro %}

{# The white space at the start of a text. #}
{% macro leading_space(text) -%}
    regexp_extract({{ text }}, '^[\s\p{Z}]*')
{%- endmacro %}

{# How a text is written: lower or capital at its first character, or upper throughout. #}
{% macro letter_case(text) -%}
    case
        when regexp_matches({{ text }}, '^[\s\p{Z}]*[^\s\p{Z}\p{Lu}\p{Lt}]') then 'lower'
        when length(trim({{ text }})) > 1 and {{ text }} = upper({{ text }}) then 'upper'
        else 'capital'
    end
{%- endmacro %}

{# A text without what stands between the fields of an object; quotes are kept. #}
{% macro without_separators(text) -%}
    regexp_replace({{ text }}, '[\s\p{Z},{}\[\]]+', '', 'g')
{%- endmacro %}

{# The last place up to an offset of a text where a word has ended: white space follows, or nothing.
   Within a word that is longer than any, the place is as good as another. #}
{% macro word_end(text, offset) -%}
    greatest(0, {{ offset }} - 100) + length(
        regexp_extract(
            substr({{ text }} || ' ', greatest(0, {{ offset }} - 100) + 1, least({{ offset }}, 100) + 1),
            '(?s)^(.*[^\s\p{Z}])[\s\p{Z}]',
            1
        )
    )
{%- endmacro %}

{# The words of a text in lower case, as a list. Unlike in `document_units`, apostrophes and hyphens part
   words, so that `Mary's` holds `Mary`. #}
{% macro words_of(text) -%}
    regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}][\p{L}\p{N}\p{M}]*')
{%- endmacro %}

{# The runs of four words of a list of words, each as a number that tells it from all others. #}
{% macro four_grams(words) -%}
    list_transform(
        list_zip({{ words }}, {{ words }}[2:], {{ words }}[3:], {{ words }}[4:], true),
        lambda run: hash(run)
    )
{%- endmacro %}

{# The share of the members of a list without repetitions that another list has; null of an empty one. #}
{% macro contained_share(members, others) -%}
    len(list_intersect({{ members }}, {{ others }})) / nullif(len({{ members }}), 0)
{%- endmacro %}

{# Whether an answer says that nothing can be said. #}
{% macro is_vague(text) -%}
    regexp_matches(
        {{ text }},
        '(?i)\b(can(no|'')t|could not|impossible to|unable to|not possible to) (be )?(know|known|say|said|tell|told|determine|determined|answer|answered)\b|(?i)\b(i do(n''t| not) know|not (enough|sufficient) (information|context)|unknown|unclear|does(n''t| not) say)\b'
    )
{%- endmacro %}

{# A text as an answer is compared with it: its first line, in lower case, and of anything that is no
   letter, mark or digit one space. #}
{% macro normalized_answer(text) -%}
    trim(
        regexp_replace(
            lower(nfc_normalize(regexp_extract({{ text }}, '^\s*([^\n]*)', 1))),
            '[^\p{L}\p{M}\p{N}]+',
            ' ',
            'g'
        )
    )
{%- endmacro %}
