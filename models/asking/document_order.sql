-- One row per document of a round: its position in a seeded circular order, with the first continuation
-- shown.
-- "Another document" is always one that follows in this order, so it does not depend on landed answers.
select
    shown.round_number,
    shown.doc_id,
    shown.document_id,
    shown.text_length,
    row_number() over (
        partition by shown.round_number
        order by {{ identity(['settings.seed', 'shown.doc_id', "'other_document'"]) }}
    ) as position,
    count(*) over (partition by shown.round_number) as n_documents,
from {{ ref('shown_documents') }} as shown
join {{ ref('round_settings') }} as settings using (round_number)
where shown.position = 1
order by shown.round_number, position
