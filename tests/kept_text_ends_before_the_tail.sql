-- What is kept of a continuation ends with its last finished sentence before its tail; without one,
-- nothing is kept.
with

tails as (

    select
        document_id,
        min(starts_at) as tail_starts_at,
    from {{ ref('tail_starts') }}
    group by document_id

),

ends as (

    select
        sentences.document_id,
        max(sentences.finished_at) as finished_at,
    from {{ ref('continuation_sentences') }} as sentences
    left join tails using (document_id)
    where tails.document_id is null or sentences.finished_at <= tails.tail_starts_at
    group by sentences.document_id

)

select *
from {{ ref('rollout_eligibility') }} as fitness
left join ends using (document_id)
where fitness.kept_length != coalesce(ends.finished_at, 0)
