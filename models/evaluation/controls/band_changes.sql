-- One row per comparison (held-out answers, or the same answers judged again), scope and band, and for all
-- of either, and number of answers: the bands of the same probes by that many published scores, and by as
-- many new ones.
with

pairs as (

    select
        'held_out' as comparison,
        scope,
        source_model,
        doc_id,
        n_compared as n_answers,
        complement_score_max as published_max,
        score_max as new_max,
    from {{ ref('arm_pairs') }}
    where arm = 'held_out'
    union all
    select
        comparison,
        scope,
        source_model,
        doc_id,
        count(*) as n_answers,
        max(score) as published_max,
        max(other_score) as new_max,
    from {{ ref('score_pairs') }}
    where comparison = 'retest'
    group by probe_id, comparison, scope, source_model, doc_id

),

by_document as (

    select
        pairs.comparison,
        coalesce(pairs.scope, 'all') as scope,
        coalesce(bins.band, 'all') as band,
        pairs.n_answers,
        pairs.source_model,
        pairs.doc_id,
        count(*) as n_probes,
        count(*) filter (where new_bins.band != bins.band) as n_changed,
        count(*) filter (where new_bins.band = 'hard') as n_hard,
        count(*) filter (where new_bins.band = 'middle') as n_middle,
        count(*) filter (where new_bins.band = 'easy') as n_easy,
    from pairs
    join {{ ref('score_bins') }} as bins on {{ is_in_bin('pairs.published_max', 'bins') }}
    join {{ ref('score_bins') }} as new_bins on {{ is_in_bin('pairs.new_max', 'new_bins') }}
    group by
        pairs.comparison,
        pairs.n_answers,
        pairs.source_model,
        pairs.doc_id,
        cube (pairs.scope, bins.band)

),

summed as (

    select
        comparison,
        scope,
        band,
        n_answers,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(n_hard)::bigint as n_hard,
        sum(n_middle)::bigint as n_middle,
        sum(n_easy)::bigint as n_easy,
        sum(n_changed) / sum(n_probes) as changed,
        {{ share_interval('n_changed', 'n_probes') }} as changed_interval,
    from by_document
    group by comparison, scope, band, n_answers

)

select
    * exclude (changed, changed_interval, n_answers),
    n_answers,
    {{ rounded('changed') }} as changed,
    {{ rounded('changed_interval.low') }} as changed_low,
    {{ rounded('changed_interval.high') }} as changed_high,
from summed
order by comparison, scope, band, n_answers
