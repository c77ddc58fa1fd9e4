-- One row per text reader, measure and published probe: its values of the atom and of the wrong answer.
{{ config(materialized='view') }}

select
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    probes.probe_id,
    scores.reader,
    scores.measure,
    scores.atom_value,
    scores.wrong_answer_value,
from {{ ref('text_reader_scores') }} as scores
join {{ ref('probes') }} as probes using (probe_id)
where probes.round_number in (select round_number from {{ ref('published_rounds') }})
