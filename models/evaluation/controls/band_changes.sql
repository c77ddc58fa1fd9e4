-- One row per scope and band, and for all of either, and number of answers: the bands of the same probes by
-- that many published answers, and by as many new ones.
with

banded as (

    select
        pairs.scope,
        pairs.source_model,
        pairs.doc_id,
        pairs.n_compared as n_answers,
        bins.band,
        held_out_bins.band as held_out_band,
    from {{ ref('arm_pairs') }} as pairs
    join {{ ref('score_bins') }} as bins on {{ is_in_bin('pairs.complement_score_max', 'bins') }}
    join {{ ref('score_bins') }} as held_out_bins
        on {{ is_in_bin('pairs.score_max', 'held_out_bins') }}
    where pairs.arm = 'held_out'

),

by_document as (

    select
        coalesce(scope, 'all') as scope,
        coalesce(band, 'all') as band,
        n_answers,
        source_model,
        doc_id,
        count(*) as n_probes,
        count(*) filter (where held_out_band != banded.band) as n_changed,
        count(*) filter (where held_out_band = 'hard') as n_hard,
        count(*) filter (where held_out_band = 'middle') as n_middle,
        count(*) filter (where held_out_band = 'easy') as n_easy,
    from banded
    group by
        grouping sets (
            (n_answers, source_model, doc_id),
            (n_answers, source_model, doc_id, scope),
            (n_answers, source_model, doc_id, band),
            (n_answers, source_model, doc_id, scope, band)
        )

),

summed as (

    select
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
    group by scope, band, n_answers

)

select
    * exclude (changed, changed_interval, n_answers),
    n_answers,
    {{ rounded('changed') }} as changed,
    {{ rounded('changed_interval.low') }} as changed_low,
    {{ rounded('changed_interval.high') }} as changed_high,
from summed
order by scope, band, n_answers
