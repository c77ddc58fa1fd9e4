-- One row per published probe: the narrow columns by which the explorer filters, and which it reads in full.
{{ config(materialized='view') }}

select
    round_number,
    doc_id,
    slot_idx,
    scope,
    target,
    typicality,
    actual_word_distance_from_split,
    bb_answer_score_max,
from {{ ref('published_probes') }}
