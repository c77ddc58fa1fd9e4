-- One row per landed rollout: whether it is fit to be probed, and if not, why.
select
    document_id,
    source_model,
    doc_id,
    continuation_idx,
    length(prefix) as prefix_length,
    length(continuation) as continuation_length,
    length(continuation) as kept_length,
    case
        when regexp_full_match(continuation, '[\s\p{Z}]*') then 'empty_continuation'
    end as passed_over_reason,
from {{ ref('stg_rollouts') }}
order by source_model, doc_id, continuation_idx
