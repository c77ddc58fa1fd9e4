{# Whether a probe is in the share of its round on which a control is run. All controls use the same
   draw, so a smaller share is a subset of a larger one. #}
{% macro is_in_control_sample(seed, probe_id, share) -%}
    {{ seeded_share([seed, probe_id, "'controls'"]) }} < {{ share }}
{%- endmacro %}

{# Whether an arm shows the answerer only a part of a complement. #}
{% macro is_cut(arm, complement_length, settings) -%}
    {{ arm }} != 'full_complement' and {{ complement_length }} > {{ settings }}.complement_characters
{%- endmacro %}

{# The split of another document that takes the place of a probe's own: with a complement of the same length,
   as far as the document goes, and also between two words. #}
{% macro other_split(target, text, text_length, complement_length) -%}
    case
        when {{ target }} = 'suffix'
            then {{ word_end(text, 'least(' ~ text_length ~ ', ' ~ complement_length ~ ')') }}
        else {{ word_end(text, 'greatest(0, ' ~ text_length ~ ' - (' ~ complement_length ~ '))') }}
    end
{%- endmacro %}
