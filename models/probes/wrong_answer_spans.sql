-- One row per drawn word or lens and text of the same form that can be its wrong answer, as a span of a
-- chosen document. Candidate 0 is the atom.
with

atoms as (

    select
        atoms.*,
        places.word_number as split_word,
        places.content_number as split_content,
        places.token_number as split_token,
        {{ letter_case('atoms.atom_text') }} as letter_case,
        {{ leading_space('atoms.atom_text') }} as leading_space,
        {{ normalized_text('atoms.atom_text') }} as normalized_text,
    from {{ ref('templated_atoms') }} as atoms
    join {{ ref('split_places') }} as places
        on
            atoms.round_number = places.round_number
            and atoms.doc_id = places.doc_id
            and atoms.split_offset = places.place
    where atoms.rejection_reason is null

),

places as (

    select
        round_number,
        doc_id,
        slot_idx,
        0 as candidate,
        document_id,
        split_offset as place,
        split_word as word_number,
        split_token as token_number,
        true as is_same_word,
    from atoms

    union all

    select
        atoms.round_number,
        atoms.doc_id,
        atoms.slot_idx,
        neighbours.place_number,
        neighbours.other_document_id,
        neighbours.place,
        neighbours.word_number,
        neighbours.token_number,
        neighbours.is_same_word,
    from atoms
    join {{ ref('neighbours') }} as neighbours using (round_number, doc_id, target)

),

-- The lens of as many tokens next to the place, on the same side.
lenses as (

    select
        places.round_number,
        places.doc_id,
        places.slot_idx,
        places.candidate,
        places.document_id,
        places.word_number,
        places.is_same_word as is_joined,
        atoms.target,
        if(atoms.target = 'suffix', places.place, tokens.starts_at) as starts_at,
        if(atoms.target = 'suffix', tokens.ends_at, places.place) as ends_at,
    from atoms
    join places using (round_number, doc_id, slot_idx)
    join {{ ref('chosen_tokens') }} as tokens
        on
            places.document_id = tokens.document_id
            and tokens.token_number = if(
                atoms.target = 'suffix',
                places.token_number + atoms.n,
                places.token_number - atoms.n + 1
            )
    where
        atoms.scope = 'lens'
        and if(atoms.target = 'suffix', tokens.ends_cleanly, tokens.starts_cleanly)

),

-- Content words at the same distance from the place, or nearly: every other word is a function word, and few
-- have a capital.
words as (

    select
        places.round_number,
        places.doc_id,
        places.slot_idx,
        places.candidate
        + shifts.number * ({{ var('max_wrong_answer_candidates') }} + 1) as candidate,
        places.document_id,
        words.starts_at,
        words.ends_at,
        words.word_number as first_word,
        words.word_number as last_word,
        places.is_same_word
        and words.word_number
        = places.word_number + if(atoms.target = 'suffix', 1, 0) as is_joined,
    from atoms
    join places using (round_number, doc_id, slot_idx)
    join (values (0, 0), (1, -1), (2, 1), (3, -2), (4, 2)) as shifts (number, shift)
        on
            shifts.number = 0
            or (places.candidate > 0 and (shifts.number <= 2 or atoms.letter_case != 'lower'))
    join {{ ref('chosen_words') }} as words
        on
            places.round_number = words.round_number
            and places.document_id = words.document_id
            and words.is_content
            and words.word_number = if(
                atoms.target = 'suffix',
                places.word_number + atoms.n + shifts.shift,
                places.word_number - atoms.n - shifts.shift + 1
            )
    where atoms.scope = 'word' and atoms.n + shifts.shift > 0

),

-- Content words of the complement, since atoms occur there, too: in an order that differs between slots,
-- because 61 is a prime.
complement_words as (

    select
        atoms.round_number,
        atoms.doc_id,
        atoms.slot_idx,
        abs(words.content_number - atoms.split_content - (atoms.target = 'prefix')::integer)
        + 1 as distance,
        distance * (7 * atoms.slot_idx + 5) % 61 as draw,
        5 * ({{ var('max_wrong_answer_candidates') }} + 1) + draw as candidate,
        atoms.document_id,
        words.starts_at,
        words.ends_at,
        words.word_number as first_word,
        words.word_number as last_word,
        false as is_joined,
    from atoms
    join {{ ref('chosen_words') }} as words
        on
            atoms.round_number = words.round_number
            and atoms.document_id = words.document_id
            and words.is_content
            and if(
                atoms.target = 'suffix',
                words.word_number <= atoms.split_word,
                words.word_number > atoms.split_word
            )
    where atoms.scope = 'word' and distance < 61 and draw < {{ var('max_wrong_answer_candidates') }} / 2

),

-- With the complete words of lenses; a lens inside a word has none.
spans as (

    select
        lenses.* exclude (word_number, target),
        lenses.word_number + 1 as first_word,
        words.word_number as last_word,
    from lenses
    asof join {{ ref('chosen_words') }} as words
        on
            lenses.round_number = words.round_number
            and lenses.document_id = words.document_id
            and lenses.ends_at >= words.ends_at
    where lenses.target = 'suffix'

    union all by name

    select
        lenses.* exclude (word_number, target),
        words.word_number as first_word,
        lenses.word_number as last_word,
    from lenses
    asof join {{ ref('chosen_words') }} as words
        on
            lenses.round_number = words.round_number
            and lenses.document_id = words.document_id
            and lenses.starts_at <= words.starts_at
    where lenses.target = 'prefix'

    union all by name

    select * from words

    union all by name

    select * exclude (distance, draw) from complement_words

),

-- Before anything else is joined, which would carry whole documents along.
cut as (

    select
        spans.*,
        {{ text_between('documents.text', 'spans.starts_at', 'spans.ends_at') }} as text,
    from spans
    join {{ ref('documents') }} as documents using (document_id)

),

texts as (

    select
        cut.*,
        atoms.scope,
        atoms.target,
        atoms.n,
        atoms.atom_start,
        atoms.atom_end,
        atoms.document_id as own_document_id,
        atoms.split_word,
        atoms.letter_case,
        atoms.leading_space,
        atoms.normalized_text,
        regexp_extract(atoms.atom_text, '[0-9-]') as digit_or_hyphen,
    from cut
    join atoms using (round_number, doc_id, slot_idx)

)

select
    round_number,
    doc_id,
    slot_idx,
    candidate,
    scope,
    target,
    n,
    atom_start,
    atom_end,
    own_document_id,
    split_word,
    document_id,
    first_word,
    last_word,
    is_joined,
    text,
from texts
where
    candidate = 0
    or (
        {{ letter_case('text') }} = letter_case
        and {{ leading_space('text') }} = leading_space
        and {{ normalized_text('text') }} != normalized_text
        and not {{ is_blank('text') }}
        and (scope = 'lens' or regexp_extract(text, '[0-9-]') = digit_or_hyphen)
    )
order by round_number, doc_id, slot_idx, candidate
