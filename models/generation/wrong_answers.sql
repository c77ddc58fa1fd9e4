-- One row per drawn word or lens: the most plausible wrong one of its shape, taken from a neighbour.
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

-- What stands at the same side of the neighbour's own split.
spans as (

    select
        wanted.*,
        candidates.atom_start,
        candidates.atom_end,
        abs(candidates.n - wanted.n) as distance,
    from wanted
    join {{ ref('word_candidates') }} as candidates
        on
            wanted.scope = 'word'
            and wanted.round_number = candidates.round_number
            and wanted.other_doc_id = candidates.doc_id
            and wanted.target = candidates.target

    union all

    select
        wanted.*,
        candidates.atom_start,
        candidates.atom_end,
        0 as distance,
    from wanted
    join {{ ref('lens_candidates') }} as candidates
        on
            wanted.scope = 'lens'
            and wanted.round_number = candidates.round_number
            and wanted.other_doc_id = candidates.doc_id
            and wanted.target = candidates.target
            and wanted.n = candidates.n

),

worded as (

    select
        spans.*,
        substr(
            documents.text, spans.atom_start + 1, spans.atom_end - spans.atom_start
        ) as wrong_answer,
    from spans
    join {{ ref('documents') }} as documents on spans.other_document_id = documents.document_id

),

-- One candidate from each neighbour: of the right shape, and nearest to the index asked for.
shaped as (

    select *
    from worded
    where
        {{ letter_case('wrong_answer') }} = letter_case
        and (left(wrong_answer, 1) = ' ') = (left(atom_text, 1) = ' ')
        and lower(trim(wrong_answer)) != lower(trim(atom_text))
        and not regexp_full_match(wrong_answer, '[\s\p{Z}]*')
    qualify
        row_number() over (
            partition by round_number, doc_id, slot_idx, other_doc_id
            order by distance, atom_start
        ) = 1

)

select
    shaped.round_number,
    shaped.doc_id,
    shaped.slot_idx,
    shaped.wrong_answer,
    shaped.plausibility,
from shaped
where
    -- Short lenses stand in every text.
    (shaped.scope = 'lens' and shaped.n < 4)
    or not exists (
        from {{ ref('shown_documents') }} as shown
        join {{ ref('documents') }} as siblings using (document_id)
        where
            shown.round_number = shaped.round_number
            and shown.doc_id = shaped.doc_id
            and contains(lower(siblings.text), lower(trim(shaped.wrong_answer)))
    )
qualify
    row_number() over (
        partition by shaped.round_number, shaped.doc_id, shaped.slot_idx
        order by shaped.plausibility desc, shaped.other_doc_id
    ) = 1
order by shaped.round_number, shaped.doc_id, shaped.slot_idx
