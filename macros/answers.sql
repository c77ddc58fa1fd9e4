{# An answer without the thinking that a server left in it, also if it is not opened or not closed, and
   without a tag around what remains. Any other tag is part of the answer, and so is one inside a line
   or in quotes. #}
{% macro without_thinking(text) -%}
    {#- Space, and what is not seen, such as a byte order mark. -#}
    {%- set blank = '[\\s\\p{Z}\\p{Cf}]*' -%}
    {%- set names = '(?:seed:)?(?:think|thinking)' -%}
    {%- set opening = '(?:' ~ [
        '<\\|?' ~ names ~ '\\b[^<>]{0,100}>',
        '◁think▷|\\[THINK\\]|<unused94>|<\\|(?:START_THINKING|begin_of_thought)\\|>',
        '<\\|channel\\|>(?:analysis|commentary)\\b',
    ] | join('|') ~ ')' -%}
    {%- set closing = '(?:' ~ [
        '<\\|?/' ~ names ~ '\\s*\\|?>',
        '◁/think▷|\\[/THINK\\]|<unused95>|<\\|(?:END_THINKING|end_of_thought)\\|>',
        '<\\|channel\\|>final\\b[^<>]{0,100}<\\|message\\|>',
    ] | join('|') ~ ')' -%}
    {#- Other names are tags of answers, too, so they count only at the start. -#}
    {%- set leading = '(?is)^' ~ blank ~ '<(?:reasoning|thoughts?)>.*?</(?:reasoning|thoughts?)>' -%}
    {%- set start = '(?is)(^' ~ blank ~ '|[\\r\\n][ \\t]*)' ~ opening -%}
    {#- Up to its closing tag, if a server left out the opening one. JSON and code are no thinking. -#}
    {%- set unopened = '(?is)^\\s*(?:' ~ [
        '(?:[^\\s{"`]|"[^{\\\\\\s]|`[^`]|\\{\\s*[^\\s"])',
        '(?:.*[^`"\'\'“‘« \\t])?',
    ] | join ~ ')?' ~ closing -%}
    {%- set harmony = '(?s)^analysis.*assistantfinal' -%}
    {%- set tag = '(?:answer|response|final_answer|solution|\\|(?:START|END)_RESPONSE\\||\\|(?:begin|end)_of_solution\\|)' -%}
    case
        when
            regexp_matches(
                {{ text }},
                '(?is){{ opening }}|{{ closing }}|^{{ blank }}<{{ tag }}>|{{ leading }}|{{ harmony }}'
            )
            then
                list_transform(
                    [
                        regexp_replace(
                            regexp_replace({{ text }}, '{{ leading }}', ''),
                            '{{ start }}.*?{{ closing }}',
                            '\1',
                            'g'
                        )
                    ],
                    lambda answer: regexp_replace(
                        regexp_replace(
                            regexp_replace(
                                regexp_replace(
                                    if(
                                        regexp_matches(answer, '(?i){{ opening }}'),
                                        answer,
                                        regexp_replace(answer, '{{ unopened }}|{{ harmony }}', '')
                                    ),
                                    '{{ start }}.*',
                                    ''
                                ),
                                '(?:\s|<\|(?:end|return)\|>)+$',
                                ''
                            ),
                            '(?is)^{{ blank }}<{{ tag }}>(.*)</?{{ tag }}>$',
                            '\1'
                        ),
                        '^{{ blank }}|{{ blank }}$',
                        '',
                        'g'
                    )
                )[1]
        else {{ text }}
    end
{%- endmacro %}

{# An answer without a code fence around all of it. #}
{% macro without_fence(text) -%}
    regexp_replace(
        {{ text }},
        '^[\s\p{Z}\p{Cf}]*(?:' || concat_ws(
            '|',
            '`{3,}([^`\n]+)`{3,}',
            '```[^\n`]*\n((?:[^`]|`[^`]|``[^`])*?)\s*(?:```)?',
            '`{4,}[^\n`]*\n((?:[^`]|`{1,3}[^`])*?`{0,3}?)\s*(?:`{4,})?',
            '~{3,}[^\n]*\n((?:[^~]|~{1,2}[^~])*?)\s*(?:~{3,})?'
        ) || ')[\s\p{Z}\p{Cf}]*$',
        '\1\2\3\4'
    )
{%- endmacro %}
