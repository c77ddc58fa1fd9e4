{# An answer without the thinking that a server left in it, also if it is not opened or not closed, and
   without a tag around what remains. A tag inside a line or in quotes is part of the answer. #}
{% macro without_thinking(text) -%}
    {%- set names = '(?:seed:)?(?:think|thinking|thoughts?|reasoning|reason|reflection|analysis|scratchpad)' -%}
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
    {%- set start = '(?is)(^\\s*|[\\r\\n][ \\t]*)' ~ opening -%}
    {#- Up to its closing tag, if a server left out the opening one. JSON and code are no thinking. -#}
    {%- set unopened = '(?is)^\\s*(?:' ~ [
        '(?:[^\\s{"`]|"[^{\\\\\\s]|`[^`]|\\{\\s*[^\\s"])',
        '(?:.*[^`"\'\'“‘«])?',
    ] | join ~ ')?' ~ closing -%}
    {%- set harmony = '(?s)^analysis.*assistantfinal' -%}
    {%- set tag = '(?:answer|response|final_answer|solution|\\|(?:START|END)_RESPONSE\\||\\|(?:begin|end)_of_solution\\|)' -%}
    case
        when
            regexp_matches({{ text }}, '(?is){{ opening }}|{{ closing }}|^\s*<{{ tag }}>|{{ harmony }}')
            then
                list_transform(
                    [regexp_replace({{ text }}, '{{ start }}.*?{{ closing }}', '\1', 'g')],
                    lambda answer: trim(
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
                            '(?is)^\s*<{{ tag }}>(.*)</?{{ tag }}>$',
                            '\1'
                        ),
                        e' \t\r\n'
                    )
                )[1]
        else {{ text }}
    end
{%- endmacro %}

{# An answer without a code fence around all of it. #}
{% macro without_fence(text) -%}
    regexp_replace(
        regexp_replace({{ text }}, '^\s*```([^`\n]+)```\s*$', '\1'),
        '^\s*```[^\n`]*\n((?:[^`]|`[^`]|``[^`])*?)\s*(?:```)?\s*$',
        '\1'
    )
{%- endmacro %}
