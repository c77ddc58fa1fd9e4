-- One row per local model, scope and target: how often its greedy answer matches the atom exactly.
with

by_document as (

    select
        scores.model,
        scores.dtype,
        probes.scope,
        probes.target,
        probes.source_model,
        probes.doc_id,
        count(*) as n_probes,
        sum(scores.is_exact_match::integer) as n_exact,
        sum(scores.starts_with_atom::integer) as n_begun,
    from {{ ref('token_scores') }} as scores
    join {{ ref('probes') }} as probes using (probe_id)
    where scores.answer is not null
    group by all

),

summed as (

    select
        model,
        dtype,
        scope,
        target,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(n_exact) / sum(n_probes) as exact_share,
        {{ mean_interval('n_exact', 'n_probes') }} as exact_interval,
        sum(n_begun) / sum(n_probes) as starts_with_share,
        {{ mean_interval('n_begun', 'n_probes') }} as begun_interval,
    from by_document
    group by model, dtype, scope, target

)

select
    model,
    dtype,
    scope,
    target,
    n_probes,
    n_documents,
    {{ rounded('exact_share') }} as exact_share,
    {{ rounded('exact_interval.low') }} as exact_share_low,
    {{ rounded('exact_interval.high') }} as exact_share_high,
    {{ rounded('starts_with_share') }} as starts_with_share,
    {{ rounded('begun_interval.low') }} as starts_with_share_low,
    {{ rounded('begun_interval.high') }} as starts_with_share_high,
from summed
order by model, dtype, scope, target
