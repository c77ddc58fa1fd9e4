-- One row per row of `wrong_answer_candidates`: what can be said of it without a language model, and how it
-- differs from its atom.
with

candidates as (

    select
        candidates.*,
        length(candidates.text) as length,
        -- The word of the complement next to the split.
        if(candidates.target = 'suffix', places.word, places.next_word) as word_beside,
        candidates.last_word - candidates.first_word + 1 as n_words,
    from {{ ref('wrong_answer_candidates') }} as candidates
    join {{ ref('chosen_words') }} as places
        on
            candidates.round_number = places.round_number
            and candidates.own_document_id = places.document_id
            and candidates.split_word = places.word_number

),

complement_words as (

    select distinct
        words.round_number,
        words.document_id,
        if(words.word_number <= splits.split_word, 'suffix', 'prefix') as target,
        words.word,
    from (
        select distinct
            round_number,
            own_document_id as document_id,
            split_word,
        from {{ ref('wrong_answer_candidates') }}
    ) as splits
    join {{ ref('chosen_words') }} as words using (round_number, document_id)

),

occurring as (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.slot_idx,
        candidates.candidate,
        count(complement_words.word) / count(*) as share,
    from candidates
    join {{ ref('chosen_words') }} as words
        on
            candidates.round_number = words.round_number
            and candidates.document_id = words.document_id
            and words.word_number between candidates.first_word and candidates.last_word
    left join complement_words
        on
            candidates.round_number = complement_words.round_number
            and candidates.own_document_id = complement_words.document_id
            and candidates.target = complement_words.target
            and words.word = complement_words.word
    group by all

),

split_ends as materialized (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.slot_idx,
        candidates.target,
        candidates.own_document_id as document_id,
        words.ends_at,
    from candidates
    join {{ ref('chosen_words') }} as words
        on
            candidates.round_number = words.round_number
            and candidates.own_document_id = words.document_id
            and candidates.split_word = words.word_number
    where candidates.scope = 'word' and candidates.candidate = 0

),

-- No text is carried along through the join above.
complements as (

    select
        splits.round_number,
        splits.doc_id,
        splits.slot_idx,
        lower(
            if(
                splits.target = 'suffix',
                left(documents.text, splits.ends_at),
                substr(documents.text, splits.ends_at + 1)
            )
        ) as text,
    from split_ends as splits
    join {{ ref('documents') }} as documents using (document_id)

),

-- Most words do not occur in the complement. Parts of them do: each three letters in a row.
resembling as (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.slot_idx,
        candidates.candidate,
        list_avg(
            list_transform(
                range(1, greatest(candidates.length - 1, 2)),
                lambda x: contains(complements.text, substr(lower(candidates.text), x, 3))::integer
            )
        ) as share,
    from candidates
    join complements using (round_number, doc_id, slot_idx)

),

measured as (

    select
        candidates.round_number,
        candidates.doc_id,
        candidates.slot_idx,
        candidates.candidate,
        candidates.scope,
        candidates.target,
        candidates.text,
        coalesce((occurring.share + resembling.share) / 2, occurring.share, 0) as overlap,
        candidates.length,
        (last_scores.frequency_sum - first_scores.frequency_sum + ln(first_share.share))
        / candidates.n_words as frequency,
        -- Across the split, and inside the text. If the text stands next to the same word where it is
        -- taken from, that occurrence is not counted.
        (
            {{ pair_log_probability(
                'pairs.n_documents - candidates.is_joined::integer',
                'before.n_pairs - 1',
                'after.share',
            ) }}
            + last_scores.probability_sum
            - first_scores.probability_sum
        ) / candidates.n_words as probability,
        length(candidates.text)
        - length(translate(candidates.text, '.,;:!?"()’”“‘''-–—0123456789', '')) as n_marks,
    from candidates
    left join occurring using (round_number, doc_id, slot_idx, candidate)
    left join resembling using (round_number, doc_id, slot_idx, candidate)
    left join {{ ref('word_scores') }} as first_scores
        on
            candidates.round_number = first_scores.round_number
            and candidates.document_id = first_scores.document_id
            and candidates.first_word = first_scores.word_number
            and candidates.n_words > 0
    left join {{ ref('word_scores') }} as last_scores
        on
            candidates.round_number = last_scores.round_number
            and candidates.document_id = last_scores.document_id
            and candidates.last_word = last_scores.word_number
    left join {{ ref('word_frequencies') }} as first_share
        on
            first_scores.round_number = first_share.round_number
            and first_scores.word = first_share.word
    left join {{ ref('word_frequencies') }} as before
        on
            candidates.round_number = before.round_number
            and if(candidates.target = 'suffix', candidates.word_beside, last_scores.word)
            = before.word
    left join {{ ref('word_frequencies') }} as after
        on
            candidates.round_number = after.round_number
            and if(candidates.target = 'suffix', first_scores.word, candidates.word_beside)
            = after.word
    left join {{ ref('word_pairs') }} as pairs
        on
            candidates.round_number = pairs.round_number
            and before.word = pairs.word
            and after.word = pairs.next_word

),

compared as (

    select
        candidates.*,
        list_transform(
            list_zip({{ rule_values('candidates') }}, {{ rule_values('atoms') }}),
            lambda x: coalesce(x[1] - x[2], 0)
        ) as by_rule,
        candidates.n_marks - atoms.n_marks as marks,
    from measured as candidates
    join measured as atoms using (round_number, doc_id, slot_idx)
    where atoms.candidate = 0

)

select
    * exclude (by_rule, marks, n_marks),
    list_concat(
        by_rule,
        list_transform(
            by_rule, lambda x: case when x > 1e-9 then 1 when x < -1e-9 then -1 else 0 end
        ),
        -- Between difference and sign: half of the limit at a small difference.
        list_transform(
            list_zip(by_rule, [0.1, 0.1, 0.5, 0.5]), lambda x: x[1] / (x[2] + abs(x[1]))
        ),
        [marks]
    )::double[] as differences,
from compared
order by round_number, doc_id, slot_idx, candidate
