-- One row per scored probe: its histogram bin and its band (hard, middle, easy).
select
    train.source_model,
    train.doc_id,
    train.slot_idx,
    train.scope,
    train.target,
    train.typicality,
    train.bb_answer_score_mean as score_mean,
    train.bb_answer_score_max as score_max,
    train.bb_answer_score_min as score_min,
    bins.bin,
    bins.band,
from {{ ref('train') }} as train
join {{ ref('score_bins') }} as bins
    on {{ is_in_bin('train.bb_answer_score_max', 'bins') }}
order by train.source_model, train.doc_id, train.slot_idx
