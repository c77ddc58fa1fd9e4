-- One row per chosen document, target side and place of another document of its round that is searched for a
-- wrong word or lens. The word on the complement's side of the place is the same as at the split, so a text
-- that is next to it there could be next to the complement. If the round has too few such places: a word that
-- ends alike, then the splits of any documents.
{% set kinds = ['same_word', 'same_ending', 'any_word'] -%}
with

-- Neither this nor the next is kept: 16 million wide rows of 12,000 documents would not stay in memory.
placed as not materialized (

    select
        places.*,
        splits.split_offset = places.place as is_split,
        chosen.row_seed,
    from {{ ref('split_places') }} as places
    join {{ ref('splits') }} as splits
        on
            places.round_number = splits.round_number
            and places.doc_id = splits.doc_id
            and splits.split_group = 'word_lens'
    join {{ ref('chosen_documents') }} as chosen
        on places.round_number = chosen.round_number and places.doc_id = chosen.doc_id

),

beside as not materialized (

    select
        placed.* exclude (word, next_word),
        sides.target,
        if(sides.target = 'suffix', word, next_word) as same_word,
        right(same_word, 2) || if(length(same_word) > 4, '*', '') as same_ending,
        'any' as any_word,
    from placed
    cross join (values ('prefix'), ('suffix')) as sides (target)

),

{% for kind in kinds -%}
-- One place of a document, and that of its split if it is one.
{{ kind }}_found as (

    select
        round_number,
        target,
        {{ kind }} as key,
        doc_id,
        row_seed,
        arg_min(
            {
                'is_split': is_split,
                'document_id': document_id,
                'place': place,
                'word_number': word_number,
                'token_number': token_number
            },
            (not is_split, (row_seed % 7919 + place * 104729) % 7919, place)
        ) as found,
    from beside
    where
        {% if kind == 'any_word' %}is_split and {% endif -%}
        (round_number, target, {{ kind }}) in (
            select (round_number, target, {{ kind }})
            from beside
            where
                is_split
                {%- if not loop.first %}
                -- Only of documents that have too few places so far.
                and (round_number, target, doc_id) not in (
                    select (round_number, target, doc_id)
                    from {{ kinds[loop.index0 - 1] }}_ring
                    where found.is_split and n_positions > {{ var('max_wrong_answer_candidates') }}
                )
                {%- endif %}
        )
    group by round_number, target, key, doc_id, row_seed

),

{{ kind }}_ring as (

    select
        *,
        row_number() over (
            partition by round_number, target, key order by row_seed, doc_id
        ) as position,
        count(*) over (partition by round_number, target, key) as n_positions,
    from {{ kind }}_found

),

{{ kind }}_places as (

    select
        own.round_number,
        own.doc_id,
        own.target,
        steps.step,
        others.doc_id as other_doc_id,
        others.found,
        {{ loop.index }} as kind,
    from {{ kind }}_ring as own
    join range(1, {{ var('max_wrong_answer_candidates') }} + 1) as steps (step)
        on steps.step < own.n_positions
    join {{ kind }}_ring as others
        on
            own.round_number = others.round_number
            and own.target = others.target
            and own.key = others.key
            and (own.position + steps.step - 1) % own.n_positions + 1 = others.position
    where own.found.is_split

),

{% endfor -%}
listed as (

    {% for kind in kinds -%}
    {{ 'union all by name' if not loop.first }}
    select * from {{ kind }}_places
    {% endfor %}

)

select
    round_number,
    doc_id,
    target,
    row_number() over (
        partition by round_number, doc_id, target order by kind, step
    ) as place_number,
    found.document_id as other_document_id,
    found.place,
    found.word_number,
    found.token_number,
    kind = 1 as is_same_word,
from (
    select *
    from listed
    qualify
        row_number() over (partition by round_number, doc_id, target, other_doc_id order by kind) = 1
)
qualify place_number <= {{ var('max_wrong_answer_candidates') }}
order by round_number, doc_id, target, place_number
