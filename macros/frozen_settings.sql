{# The vars that are frozen with a round when it starts: the text of a request, a unit, a split or a row of
   a round depends on them. Each is a column of `started_rounds` and of `round_settings`, and no
   model after that asks for the var. #}
{% macro frozen_settings() -%}
    {{ return([
        'language',
        'tokenizer',
        'siblings_shown',
        'min_siblings',
        'typical_siblings',
        'min_sentences_beside_split',
        'max_neighbours',
        'position_tolerance',
        'complement_characters',
        'further_siblings',
        'further_characters',
        'min_atom_words',
    ]) }}
{%- endmacro %}

{# Where the files of a tokenizer are, by its name. No JSON path: a name can begin with a slash. #}
{% macro tokenizer_files(tokenizer) -%}
coalesce(
    from_json(
        '{{ tojson(var("tokenizer_files")) | replace("'", "''") }}', '"MAP(VARCHAR, VARCHAR)"'
    )[{{ tokenizer }}],
    'hub'
)
{%- endmacro %}
