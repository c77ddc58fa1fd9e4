-- What is kept of a continuation ends where its tail begins or before, and all is kept where nothing
-- is cut.
select *
from {{ ref('rollout_eligibility') }} as fitness
where
    kept_length > continuation_length
    or (cut_reason is null and kept_length != continuation_length)
    or (
        cut_reason is not null
        and kept_length > (
            select min(starts_at)
            from {{ ref('tail_starts') }} as signs
            where signs.document_id = fitness.document_id
        )
    )
