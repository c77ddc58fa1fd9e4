-- One row per landed rollout and reason to cut its continuation: the position where the detached tail
-- starts, at the beginning of a sentence or at a marker.
with

sentences as (

    select
        *,
        (ends_at - starts_at)::bigint as size,
        -- Code points that are evidence for a reason, in the order of the reasons below.
        [
            size * n_repeated_words / greatest(n_words, 1),
            if(is_other_language, size, 0),
            if(is_boilerplate, size, 0),
            if(is_question, size, 0)
        ] as signs,
    from {{ ref('continuation_sentences') }}

),

-- From each sentence to the end of the continuation.
tails as (

    select
        document_id,
        starts_at,
        size,
        sum(size) over tail as tail_size,
        unnest(['repetition', 'language', 'boilerplate', 'questions']) as reason,
        unnest(signs) as sign,
        unnest([
            sum(signs[1]) over tail,
            sum(signs[2]) over tail,
            sum(signs[3]) over tail,
            sum(signs[4]) over tail
        ]) as tail_sign,
    from sentences
    window
        tail as (
            partition by document_id order by position
            rows between current row and unbounded following
        )

),

-- Long words before each sentence (including the prefix), and from the sentence to the end.
words as (

    select
        sentences.document_id,
        sentences.starts_at,
        sentences.starts_line,
        sentences.n_known_long_words,
        list_sum(list_transform(prefixes.sentences, lambda x: x.n_long_words))
        + sum(sentences.n_long_words) over continuation
        - sum(sentences.n_long_words) over tail as n_long_words_before,
        sum(sentences.n_long_words) over tail as n_long_words,
    from sentences
    join {{ ref('stg_rollouts') }} as rollouts using (document_id)
    join {{ ref('prefix_measures') }} as prefixes using (source_model, doc_id)
    window
        continuation as (partition by sentences.document_id),
        tail as (
            partition by sentences.document_id order by sentences.position
            rows between current row and unbounded following
        )

)

select
    document_id,
    'marker' as reason,
    min(starts_at + marker_at) as starts_at,
from sentences
where marker_at is not null
group by document_id

union all by name

select
    document_id,
    reason,
    min(starts_at) as starts_at,
from tails
where
    sign >= {{ var('min_tail_share') }} * size
    and tail_sign >= {{ var('min_tail_share') }} * tail_size
    and tail_sign >= {{ var('min_tail_length') }}
group by document_id, reason

union all by name

-- A line after which hardly any word occurred before.
select
    document_id,
    'new_document' as reason,
    min(starts_at) as starts_at,
from words
where
    starts_line
    and n_long_words_before >= {{ var('min_words_before') }}
    and n_long_words >= {{ var('min_new_words') }}
    and n_known_long_words <= {{ var('max_known_share') }} * n_long_words
group by document_id
order by document_id, reason
