-- One row per rater and probe that the rater marked: the newest mark, if it was not withdrawn and is of the
-- question that the probe has.
select
    marks.rater,
    marks.probe_id,
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    marks.mark,
    marks.note,
from {{ source('landing', 'probe_marks') }} as marks
join {{ ref('probes') }} as probes
    on marks.probe_id = probes.probe_id and marks.question_hash = md5(probes.verbalizer_prompt)
qualify
    row_number() over (partition by marks.rater, marks.probe_id order by marks.revision desc) = 1
    and (marks.mark is not null or marks.note is not null)
order by marks.rater, probes.round_number, probes.doc_id, probes.slot_idx
