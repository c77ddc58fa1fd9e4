-- A landed log-probability is finite and at most zero, and there is one per token.
select
    reader_hash,
    probe_id,
    form,
from {{ ref('stg_local_scores') }}
where
    len(atom_logprobs) = 0
    or len(wrong_answer_logprobs) = 0
    or len(atom_logprobs) != len(atom_tokens)
    or len(wrong_answer_logprobs) != len(wrong_answer_tokens)
    or len(list_filter(atom_logprobs, lambda x: not isfinite(x) or x > 0)) > 0
    or len(list_filter(wrong_answer_logprobs, lambda x: not isfinite(x) or x > 0)) > 0
