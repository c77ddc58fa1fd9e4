{# The fields of a generator's answer and their types, in the order of generator.schema.json: of the answer
   itself, and which of them it cannot do without; of its splits (one per scope group), of its probes (one
   per written slot), of each probe, and of a slot that it declines. #}
{% macro generator_schema() -%}
    {%- set probe = {
        'target': 'VARCHAR',
        'units': 'VARCHAR[]',
        'first_words': 'VARCHAR',
        'typicality': 'VARCHAR',
        'verbalizer_prompt': 'VARCHAR',
        'target_response': 'VARCHAR',
        'incorrect_plausible_answer': 'VARCHAR',
        'synergy_check': 'VARCHAR',
        'distribution_check': 'VARCHAR',
        'difficulty_check': 'VARCHAR',
    } -%}
    {%- set declined = {'declined': 'VARCHAR'} -%}
    {%- set struct = [] -%}
    {%- for field, type in probe.items() | list + declined.items() | list -%}
        {%- do struct.append(field ~ ' ' ~ type) -%}
    {%- endfor -%}
    {{ return({
        'answer': {
            'document': 'VARCHAR',
            'document_rationale': 'VARCHAR',
            'splits': 'MAP(VARCHAR, VARCHAR)',
            'split_rationale': 'VARCHAR',
            'probes': 'MAP(VARCHAR, STRUCT(' ~ struct | join(', ') ~ '))',
        },
        'required': ['document', 'splits', 'probes'],
        'splits': ['word_lens', 'sentence', 'paragraph', 'whole'],
        'probes': ['sentence_1', 'sentence_2', 'sentence_3', 'paragraph_1', 'paragraph_2', 'whole_1'],
        'probe': probe.keys() | list,
        'declined': declined.keys() | list,
    }) }}
{%- endmacro %}

{# Names as a list of SQL literals. #}
{% macro quoted(names) -%}
    '{{ names | join("', '") }}'
{%- endmacro %}
