-- One row per landed rollout: how much of it is kept, and whether that is eligible as far as the rollout
-- alone can show; if not, the reason, with the measures behind it.
with

tails as (

    select
        document_id,
        min(starts_at) as tail_starts_at,
        arg_min(reason, (starts_at, reason)) as cut_reason,
    from {{ ref('tail_starts') }}
    group by document_id

),

-- Sentences before the tail; of one that is divided by a marker, the share before it. A document ends with
-- the last finished one, so that no atom is cut off.
sentences as (

    select
        sentences.*,
        least(sentences.ends_at, coalesce(tails.tail_starts_at, sentences.ends_at)) - sentences.starts_at
            as size,
        size / (sentences.ends_at - sentences.starts_at) as kept_share,
        max(sentences.finished_at) over (partition by sentences.document_id) as kept_length,
    from {{ ref('continuation_sentences') }} as sentences
    left join tails using (document_id)
    where tails.document_id is null or sentences.starts_at < tails.tail_starts_at

),

kept as (

    select
        document_id,
        any_value(kept_length) as kept_length,
        coalesce(ceil(sum(n_words * kept_share) filter (where starts_at < kept_length)), 0)::bigint
            as n_words,
        sum(n_copied_words * kept_share) / nullif(sum(n_words * kept_share), 0) as copied_share,
        sum(if(is_other_language, 0, size)) / sum(size) as language_share,
        sum(if(is_prose, size, 0)) / sum(size) as prose_share,
    from sentences
    group by document_id

),

judged as (

    select
        rollouts.document_id,
        rollouts.source_model,
        rollouts.doc_id,
        rollouts.continuation_idx,
        measures.continuation_length,
        coalesce(kept.kept_length, 0) as kept_length,
        tails.cut_reason,
        measures.n_words as n_words_measured,
        coalesce(kept.n_words, 0) as n_words,
        list_avg(measures.diversities) as diversity,
        kept.copied_share,
        kept.language_share,
        kept.prose_share,
    from {{ ref('stg_rollouts') }} as rollouts
    join {{ ref('rollout_measures') }} as measures using (document_id)
    left join tails using (document_id)
    left join kept using (document_id)

)

select
    * exclude (n_words_measured),
    case
        when n_words_measured = 0 or (n_words = 0 and kept_length > 0) then 'empty_continuation'
        when cut_reason is null and diversity < {{ var('min_diversity') }} then 'collapsed'
        when kept_length < {{ var('min_continuation_length') }}
            then case
                when cut_reason = 'repetition' then 'collapsed'
                when cut_reason is not null then 'detached'
                else 'too_short'
            end
        when kept_length > {{ var('max_continuation_length') }} then 'too_long'
        when copied_share > {{ var('max_copied_share') }} then 'copies_prefix'
        when language_share < {{ var('min_language_share') }} then 'other_language'
        when prose_share < {{ var('min_prose_share') }} then 'too_little_prose'
    end as exclusion_reason,
from judged
order by source_model, doc_id, continuation_idx
