{# The part of a text from one offset up to another, in code points, counted from 0. #}
{% macro text_between(text, starts_at, ends_at) -%}
    substr({{ text }}, {{ starts_at }} + 1, {{ ends_at }} - {{ starts_at }})
{%- endmacro %}

{# The first four words of a text as a list, ignoring case and punctuation. #}
{% macro first_words(text) -%}
    regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}]+')[:4]
{%- endmacro %}

{# Whether a question speaks of how its probe was made: of the prefix, the suffix or the split as a part of the
   document. Ordinary senses are no fault: what a couple split, the split between two parties, the prefix of a
   number, and any of these words that occurs in the document itself. #}
{% macro mentions_split(question, document) -%}
    {%- set side = '(?:pre|suf)fix(?:es)?' -%}
    {%- set near = 'at|after|before|beyond|past|across|until|to|from|around|near|following|preceding|follows|precedes' -%}
    {%- set text = '(?:\\w+ )?(?:document|text|passage|story|tale|article|essay|page|post|excerpt|narrative|account|piece)s?\\b' -%}
    {%- set spelled = '(?:words?|names?|titles?|numbers?|codes?|terms?|verbs?|nouns?|adjectives?|units?|plurals?)\\b' -%}
    (
        regexp_matches(
            {{ question }},
            '(?i)\b{{ side }}[- ](?:text|side|half|part|portion|section|target|document|only|continuation)s?\b'
            '|\bsplit[- ](?:point|position|offset|location|boundary)\b'
            '|\bsplit (?:of|in) (?:the|this) (?:document|text|passage)\b'
        )
        or (
            regexp_matches({{ question }}, '(?i)\b{{ side }} (?:of|in|to) (?:the|this|that|our) {{ text }}')
            or regexp_matches(
                -- Those of something that is spelled.
                regexp_replace(
                    {{ question }},
                    '(?i)\b{{ side }} (?:meaning|code|["“‘«''-]|\d|(?:of|for|to) (?:["“‘«''\d]|(?-i:\p{Lu})|(?:\w+ ){0,3}{{ spelled }}))',
                    '',
                    'g'
                ),
                '(?i)\b(?:the|this|that|its|given|shared|visible|shown|in|from|and|or) (?:\w+ )?{{ side }}\b'
            )
        )
        and not contains(lower({{ document }}), 'prefix')
        and not contains(lower({{ document }}), 'suffix')
        or (
            regexp_matches(
                {{ question }},
                '(?i)\b(?:{{ near }}) (?:the|this|that) split (?:(?:of|in) (?:the|this|that|our) {{ text }}|with (?:respect|regard|reference)\b)'
            )
            or regexp_matches(
                regexp_replace(
                    {{ question }},
                    '(?i)\bsplit[- ](?:between|of|in|with|from|into|among|over|within|off|up|second|decision)\b',
                    '',
                    'g'
                ),
                '(?i)\b(?:{{ near }}) (?:the|this|that) split\b'
                '|\b(?:document|text|passage) (?:is|was|gets) split\b'
            )
        )
        and not contains(lower({{ document }}), 'split')
    )
{%- endmacro %}

{# A text normalized for comparison: lower case, without surrounding white space. #}
{% macro normalized_text(text) -%}
    lower(regexp_replace({{ text }}, '^[\s\p{Z}]+|[\s\p{Z}]+$', '', 'g'))
{%- endmacro %}

{# The score that a judge's reply states, else null: one decimal in [0, 1] and nothing else, except for a label
   such as `Score:` before it, `/ 1` and a full stop after it, and marks of emphasis, code, quotation, JSON, XML
   or mathematics around it. The decimal sign can be a comma, but 1,000 is a thousand. #}
{% macro stated_score(text) -%}
    {%- set marks -%} [\s\p{Z}\p{Cf}*_`"''“”‘’«»„]* {%- endset -%}
    {%- set fence -%} (?:```(?:json|text|txt|plaintext|markdown|md|latex|xml)[ \t]*[\r\n])? {%- endset -%}
    {%- set name -%} (?:final[ _]|overall[ _])?(?:score|rating|grade|answer) {%- endset -%}
    {%- set named -%} (?:score|rating|grade|final answer)(?: is)?{{ marks }}[:=]?|answer{{ marks }}[:=] {%- endset -%}
    {%- set label -%} (?:(?:the |final |overall )*(?:{{ named }}))? {%- endset -%}
    {%- set whole -%} (?:{{ marks }}(?:/|out of){{ marks }}1(?:[.,]00?)?)? {%- endset -%}
    {%- set number -%} [+]?(?:0|0?[.][0-9]+|0,[0-9]+|1|1[.]0+|1,00?){{ whole }} {%- endset -%}
    {%- set score -%} {{ marks }}{{ number }}{{ marks }} {%- endset -%}
    {%- set forms = [
        score,
        '[(]' ~ score ~ '[)]',
        '[[]' ~ score ~ '[]]',
        '[$]' ~ score ~ '[$]',
        '[$]*[\\\\]boxed[{]' ~ score ~ '[}][$]*',
        '<' ~ name ~ '>' ~ score ~ '</' ~ name ~ '>',
        '[{]' ~ marks ~ name ~ marks ~ ':' ~ score ~ '[}]',
    ] | join('|') -%}
    nullif(
        replace(
            regexp_extract(
                regexp_extract(
                    {{ text }},
                    '(?i)^{{ marks }}{{ fence }}{{ marks }}{{ label }}{{ marks }}(?:{{ forms }}){{ marks }}[.]?{{ marks }}$'
                ),
                '[0-9.,]*[0-9]'
            ),
            ',',
            '.'
        ),
        ''
    )::double
{%- endmacro %}

{# Whether a response is signed with the name of the model that was asked, or of a dated version of it. #}
{% macro is_named(named, asked) -%}
    coalesce(
        starts_with({{ named }}, {{ asked }})
        and regexp_full_match(
            substr({{ named }}, length({{ asked }}) + 1), '([-@][0-9]{4}-?[0-9]{2}-?[0-9]{2})?'
        ),
        false
    )
{%- endmacro %}

{# Whether a text is null or has no visible character. #}
{% macro is_blank(text) -%}
    coalesce(regexp_full_match({{ text }}, '[\s\p{Z}\p{C}]*'), true)
{%- endmacro %}

{# The text, or null if it is blank. #}
{% macro text_or_null(text) -%}
    case when not {{ is_blank(text) }} then {{ text }} end
{%- endmacro %}

{# The leading white space of a text. #}
{% macro leading_space(text) -%}
    regexp_extract({{ text }}, '^[\s\p{Z}]*')
{%- endmacro %}

{# Case of a text: lower or capital first character, or upper throughout. #}
{% macro letter_case(text) -%}
    case
        when regexp_matches({{ text }}, '^[\s\p{Z}]*[^\s\p{Z}\p{Lu}\p{Lt}]') then 'lower'
        when length(trim({{ text }})) > 1 and {{ text }} = upper({{ text }}) then 'upper'
        else 'capital'
    end
{%- endmacro %}

{# A text without the characters between the fields of a JSON object; quotes are kept. #}
{% macro without_separators(text) -%}
    regexp_replace({{ text }}, '[\s\p{Z},{}\[\]]+', '', 'g')
{%- endmacro %}

{# The last word end at or before an offset of a text: followed by white space or by nothing. Inside an
   extremely long word, the offset itself. #}
{% macro word_end(text, offset) -%}
    greatest(0, {{ offset }} - 100) + length(
        regexp_extract(
            substr({{ text }} || ' ', greatest(0, {{ offset }} - 100) + 1, least({{ offset }}, 100) + 1),
            '(?s)^(.*[^\s\p{Z}])[\s\p{Z}]',
            1
        )
    )
{%- endmacro %}

{# A text in which hyphens and apostrophes inside words do not separate words. #}
{% macro without_hyphens(text) -%}
    regexp_replace({{ text }}, '([\p{L}\p{N}])[-‐‑''’]([\p{L}\p{N}])', '\1\2', 'g')
{%- endmacro %}

{# The words of a text in lower case, as a list. Unlike in `document_units`, apostrophes and hyphens
   separate words, so `Mary's` contains `Mary`. #}
{% macro words_of(text) -%}
    regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}][\p{L}\p{N}\p{M}]*')
{%- endmacro %}

{# A text with marks where its words begin and end; apostrophes and hyphens separate words. #}
{% macro marked_words(text) -%}
    regexp_replace({{ text }}, '[\p{L}\p{N}\p{M}]+', '⟦\0⟧', 'g')
{%- endmacro %}

{# A part of a text with such marks, as they are in the complete text: none where the part cuts a word. #}
{% macro marked_between(text, starts_at, ends_at) -%}
    rtrim(
        ltrim(
            {{ marked_words(text_between(text, starts_at, ends_at)) }},
            if(regexp_matches({{ text_between(text, starts_at ~ ' - 1', starts_at) }}, '[\p{L}\p{N}\p{M}]'), '⟦', '')
        ),
        if(regexp_matches({{ text_between(text, ends_at, ends_at ~ ' + 1') }}, '[\p{L}\p{N}\p{M}]'), '⟧', '')
    )
{%- endmacro %}

{# The number of code points by which a comparable place of another continuation can be earlier or later. #}
{% macro max_shift(text_length, position_tolerance) -%}
    floor({{ text_length }} * {{ position_tolerance }})::integer
{%- endmacro %}

{# Whether a continuation, of which some code points are shown, does not end before a place of a document of the
   same prefix. #}
{% macro reaches(prefix_length, length, place) -%}
    {{ prefix_length }} + {{ length }} > {{ place }}
{%- endmacro %}

{# The number of words of a text. In scripts without spaces between words, each letter counts. #}
{% macro n_words(text) -%}
    len(
        regexp_extract_all(
            {{ text }},
            '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|[\p{L}\p{N}][\p{L}\p{N}\p{M}]*'
        )
    )
{%- endmacro %}

{# Whether a word can be a content word: it has a letter, and is no initial or the like. #}
{% macro can_be_content(word) -%}
    (
        regexp_matches({{ word }}, '\p{L}')
        and not regexp_full_match({{ word }}, '\p{Latin}(?:[.]\p{Latin})*[.]?')
    )
{%- endmacro %}

{# The 4-grams of a list of words, each as a hash. #}
{% macro four_grams(words) -%}
    list_transform(
        list_zip({{ words }}, {{ words }}[2:], {{ words }}[3:], {{ words }}[4:], true),
        lambda run: hash(run)
    )
{%- endmacro %}

{# The share of the distinct members of a list that occur in another list; null for an empty list. #}
{% macro contained_share(members, others) -%}
    len(list_intersect({{ members }}, {{ others }})) / nullif(len({{ members }}), 0)
{%- endmacro %}

{# Whether an answer declines to answer. #}
{% macro is_vague(text) -%}
    regexp_matches(
        {{ text }},
        '(?i)\b(can(no|'')t|could not|impossible to|unable to|not possible to) (be )?(know|known|say|said|tell|told|determine|determined|answer|answered)\b|(?i)\b(i do(n''t| not) know|not (enough|sufficient) (information|context)|unknown|unclear|does(n''t| not) say)\b'
    )
{%- endmacro %}

{# The first line of an answer that is not blank. #}
{% macro first_line(text) -%}
    regexp_extract(left({{ text }}, 10000), '^[\s\p{Z}]*([^\r\n]*)', 1)
{%- endmacro %}

{# A text as it is compared with a word: in lower case, with everything except letters, marks and digits
   replaced by single spaces. Sorting very many combining marks takes quadratic time, so the text is cut. #}
{% macro word_text(text) -%}
    trim(
        regexp_replace(
            lower(nfc_normalize(left({{ text }}, 10000))), '[^\p{L}\p{M}\p{N}]+', ' ', 'g'
        )
    )
{%- endmacro %}

{# A text as it is compared with a lens: in lower case, with a space for each run of white space, none
   around the text, and with straight quotation marks. #}
{% macro lens_text(text) -%}
    trim(
        regexp_replace(
            translate(lower(nfc_normalize(left({{ text }}, 10000))), '‘’“”', '''''""'),
            '[\s\p{Z}]+',
            ' ',
            'g'
        )
    )
{%- endmacro %}

{# An answer without quotation marks around all of it, unless the lens begins with one. Both are normalized. #}
{% macro unquoted(answer, lens) -%}
    if(
        starts_with({{ lens }}, '"'),
        {{ answer }},
        trim(regexp_replace({{ answer }}, '^"(.*)"$', '\1'))
    )
{%- endmacro %}

{# Whether a character belongs to a word. #}
{% macro is_in_word(character) -%}
    regexp_matches({{ character }}, '[\p{L}\p{M}\p{N}]')
{%- endmacro %}

{# Whether the atom of a word or lens is inside a longer lens of the document. Lenses of a side begin at the
   same split, so all but the longest are inside it. Null for other scopes. A window over probes. #}
{% macro is_nested(document, split) -%}
    {%- set reach = 'if(target = \'suffix\', atom_end - ' ~ split ~ ', ' ~ split ~ ' - atom_start)' %}
    case
        when scope in ('word', 'lens')
            then
                coalesce(
                    {{ reach }} + (scope = 'lens')::integer
                    <= max({{ reach }}) filter (where scope = 'lens')
                        over (partition by {{ document }}, target),
                    false
                )
    end
{%- endmacro %}
