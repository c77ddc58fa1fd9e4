-- One row per row of `wrong_answer_spans` that is wrong: no landed continuation of the prefix, the document's
-- own or another, contains it after the shared beginning; words are compared near the atom's place. What the
-- beginning contains excludes nothing: a third of the word atoms occur in their complement, too.
with

-- Not united by document: texts that are aggregated stay in memory.
said as (

    select
        landed.round_number,
        landed.doc_id,
        lower(rollouts.continuation) as text,
    from (
        select
            round_number,
            doc_id,
            other_document_id as document_id,
        from {{ ref('other_continuations') }}
        union all
        select
            round_number,
            doc_id,
            document_id,
        from {{ ref('chosen_documents') }}
    ) as landed
    join {{ ref('stg_rollouts') }} as rollouts using (document_id)

),

words as (

    select
        spans.*,
        documents.prefix_length,
        {{ max_shift('documents.text_length', 'settings.position_tolerance') }} as farthest,
    from {{ ref('wrong_answer_spans') }} as spans
    join {{ ref('documents') }} as documents on spans.own_document_id = documents.document_id
    join {{ ref('round_settings') }} as settings using (round_number)
    where spans.scope = 'word'

),

-- The parts at a comparable place.
said_near as (

    select
        words.round_number,
        words.doc_id,
        words.slot_idx,
        {{ text_between(
            'said.text',
            'greatest(0, words.atom_start - words.prefix_length - words.farthest)',
            'greatest(0, words.atom_end - words.prefix_length + words.farthest)',
        ) }} as text,
    from words
    join said using (round_number, doc_id)
    where words.candidate = 0

),

true_spans as (

    select
        words.round_number,
        words.doc_id,
        words.slot_idx,
        words.candidate,
    from words
    join said_near using (round_number, doc_id, slot_idx)
    where contains(said_near.text, lower(words.text))

    union all

    -- Near the index in the document itself, also in the shared beginning.
    select
        words.round_number,
        words.doc_id,
        words.slot_idx,
        words.candidate,
    from words
    join {{ ref('chosen_words') }} as own
        on
            words.round_number = own.round_number
            and words.own_document_id = own.document_id
            and lower(words.text) = own.word
            and own.is_content
    where
        if(
            words.target = 'suffix',
            own.word_number > words.split_word,
            own.word_number <= words.split_word
        )
        -- Words are counted outward from the split.
        and abs(
            abs(own.word_number - words.split_word - (words.target = 'prefix')::integer) - words.n
        ) <= {{ var('wrong_word_window') }}

    union all

    -- Lenses of fewer than four tokens occur in every text.
    select
        lenses.round_number,
        lenses.doc_id,
        lenses.slot_idx,
        lenses.candidate,
    from {{ ref('wrong_answer_spans') }} as lenses
    join said using (round_number, doc_id)
    where
        lenses.scope = 'lens'
        and lenses.n >= 4
        and contains(said.text, {{ normalized_text('lenses.text') }})

)

select
    spans.round_number,
    spans.doc_id,
    spans.slot_idx,
    spans.candidate,
    spans.scope,
    spans.target,
    spans.document_id,
    spans.split_word,
    spans.own_document_id,
    spans.first_word,
    spans.last_word,
    spans.is_joined,
    spans.text,
from {{ ref('wrong_answer_spans') }} as spans
left join (select distinct * from true_spans) as true_spans
    using (round_number, doc_id, slot_idx, candidate)
-- The atom itself is kept for comparison.
where spans.candidate = 0 or true_spans.candidate is null
order by spans.round_number, spans.doc_id, spans.slot_idx, spans.candidate
