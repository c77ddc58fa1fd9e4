-- One row per drawn word or lens: the most plausible wrong answer of the same form, from a neighbour.
with

wanted as (

    select
        atoms.round_number,
        atoms.doc_id,
        atoms.slot_idx,
        atoms.scope,
        atoms.target,
        atoms.n,
        atoms.atom_text,
        {{ letter_case('atoms.atom_text') }} as letter_case,
        neighbours.other_doc_id,
        neighbours.other_document_id,
        neighbours.plausibility,
    from {{ ref('templated_atoms') }} as atoms
    join {{ ref('neighbours') }} as neighbours using (round_number, doc_id, target)
    where atoms.rejection_reason is null

),

-- The neighbour's word with the same form that is nearest to the same index.
words as (

    select
        wanted.* exclude (other_document_id),
        arg_min(candidates.atom_text, (abs(candidates.n - wanted.n), candidates.n))
            as wrong_answer,
    from wanted
    join {{ ref('word_candidates') }} as candidates
        on
            wanted.round_number = candidates.round_number
            and wanted.other_doc_id = candidates.doc_id
            and wanted.target = candidates.target
            and wanted.letter_case = candidates.letter_case
            and candidates.n >= wanted.n - {{ var('wrong_word_window') }}
            and candidates.n <= wanted.n + {{ var('wrong_word_window') }}
    where wanted.scope = 'word'
    group by all

),

-- The lens with the same number of tokens on the same side of the neighbour's own split.
lenses as (

    select
        wanted.* exclude (other_document_id),
        {{ text_between('documents.text', 'candidates.atom_start', 'candidates.atom_end') }} as wrong_answer,
    from wanted
    join {{ ref('lens_candidates') }} as candidates
        on
            wanted.round_number = candidates.round_number
            and wanted.other_doc_id = candidates.doc_id
            and wanted.target = candidates.target
            and wanted.n = candidates.n
    join {{ ref('documents') }} as documents on wanted.other_document_id = documents.document_id
    where wanted.scope = 'lens'

),

-- The few most plausible ones with the form of the atom.
likely as (

    select *
    from (
        select * from words
        union all by name
        select * from lenses
    )
    where
        {{ letter_case('wrong_answer') }} = letter_case
        and {{ leading_space('wrong_answer') }} = {{ leading_space('atom_text') }}
        and {{ normalized_text('wrong_answer') }} != {{ normalized_text('atom_text') }}
        and not {{ is_blank('wrong_answer') }}
    qualify
        row_number() over (
            partition by round_number, doc_id, slot_idx
            order by plausibility desc, other_doc_id
        ) <= {{ var('max_wrong_answer_candidates') }}

),

siblings as (

    select
        shown.round_number,
        shown.doc_id,
        lower(documents.text) as text,
    from {{ ref('shown_documents') }} as shown
    join {{ ref('documents') }} as documents using (document_id)

),

standing as (

    select distinct
        likely.round_number,
        likely.doc_id,
        likely.slot_idx,
        likely.other_doc_id,
    from likely
    join siblings using (round_number, doc_id)
    where
        contains(siblings.text, {{ normalized_text('likely.wrong_answer') }})
        -- Short lenses occur in every text.
        and not (likely.scope = 'lens' and likely.n < 4)

)

select
    round_number,
    doc_id,
    slot_idx,
    wrong_answer,
    plausibility,
from likely
anti join standing using (round_number, doc_id, slot_idx, other_doc_id)
qualify
    row_number() over (
        partition by round_number, doc_id, slot_idx order by plausibility desc, other_doc_id
    ) = 1
order by round_number, doc_id, slot_idx
