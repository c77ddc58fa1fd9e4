-- One row per chosen document and split group: the split, or why there is none.
with

groups as (

    select distinct split_group
    from {{ ref('slot_kinds') }}

),

named as (

    select
        chosen.round_number,
        chosen.doc_id,
        chosen.document_id,
        chosen.row_seed,
        chosen.prefix_length,
        chosen.sentences,
        settings.min_sentences_beside_split,
        groups.split_group,
        -- Null unless the id names a sentence of the chosen document.
        try_cast(
            regexp_extract(
                chosen.output.splits[groups.split_group], '^' || chosen.label || '\.s(\d{1,9})$', 1
            )
            as integer
        ) as sentence_number,
    from {{ ref('chosen_documents') }} as chosen
    join {{ ref('round_settings') }} as settings using (round_number)
    cross join groups

),

-- Inside the named sentence: word ends that are token boundaries and followed by white space.
places as (

    select
        named.round_number,
        named.doc_id,
        named.split_group,
        unnest(
            list_intersect(
                list_transform(
                    list_filter(
                        units.words,
                        lambda x: x.ends_at
                        between named.sentences[named.sentence_number].starts_at
                        and named.sentences[named.sentence_number].ends_at
                    ),
                    lambda x: x.ends_at
                ),
                list_intersect(
                    list_transform(tokens.tokens, lambda x: x.ends_at),
                    list_transform(tokens.tokens, lambda x: x.starts_at)
                )
            )
        ) as place,
    from named
    join {{ ref('document_units') }} as units using (document_id)
    join {{ ref('document_tokens') }} as tokens using (document_id)
    where named.split_group = 'word_lens'

),

drawn as (

    select
        places.round_number,
        places.doc_id,
        places.split_group,
        arg_min(places.place, {{ identity(['named.row_seed', 'places.place']) }}) as place,
    from places
    join named using (round_number, doc_id, split_group)
    join {{ ref('documents') }} as documents using (document_id)
    where
        places.place >= named.prefix_length
        and regexp_full_match(substr(documents.text, places.place + 1, 1), '[\s\p{Z}]')
    group by all

),

placed as (

    select
        named.* exclude (sentences),
        named.split_group = 'word_lens' as is_inside,
        len(named.sentences) - named.sentence_number as n_sentences_after,
        case
            when named.split_group = 'word_lens' then drawn.place
            else named.sentences[named.sentence_number].ends_at
        end as offset_found,
        named.sentences[named.sentence_number].ends_at as sentence_ends_at,
        documents.text,
    from named
    join {{ ref('documents') }} as documents using (document_id)
    left join drawn
        on
            named.round_number = drawn.round_number
            and named.doc_id = drawn.doc_id
            and named.split_group = drawn.split_group

),

judged as (

    select
        *,
        case
            when sentence_number is null or sentence_ends_at is null then 'unknown_split_unit'
            when sentence_ends_at < prefix_length then 'split_before_prefix_end'
            when
                sentence_number - is_inside::integer < min_sentences_beside_split
                or n_sentences_after < min_sentences_beside_split
                then 'too_few_sentences_beside_split'
            when offset_found is null then 'no_valid_split_position'
            -- Adjacent sentences without white space have no split position between them.
            when not regexp_full_match(substr(text, offset_found + 1, 1), '[\s\p{Z}]')
                then 'no_valid_split_position'
        end as rejection_reason,
    from placed

)

select
    round_number,
    doc_id,
    document_id,
    split_group,
    sentence_number,
    case when rejection_reason is null then offset_found end as split_offset,
    rejection_reason,
from judged
order by round_number, doc_id, split_group
