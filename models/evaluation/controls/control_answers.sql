-- One row per written probe and control arm whose answers were all judged: these answers and their scores.
{{ config(materialized='view') }}

select
    texts.round_number,
    texts.source_model,
    texts.doc_id,
    texts.slot_idx,
    texts.probe_id,
    texts.arm,
    texts.answerer_model,
    texts.answers,
    scores.scores,
from {{ ref('answer_texts') }} as texts
join {{ ref('arm_scores') }} as scores using (probe_id, arm)
where texts.arm != 'complement'
