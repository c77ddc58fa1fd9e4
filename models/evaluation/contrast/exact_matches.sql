-- One row per local model, scope and target: how often its greedy answer is the atom, and how much of a lens
-- it has.
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
        count(*) filter (where probes.is_nested) as n_nested,
        sum(scores.is_exact_match::integer) as n_exact,
        coalesce(sum(scores.starts_with_atom::integer), 0) as n_begun,
        coalesce(sum(scores.n_common_tokens), 0) as common_tokens,
        coalesce(sum(scores.common_share), 0) as common_share,
        sum(coalesce(scores.common_share, scores.is_exact_match::integer)) as figure,
        sum(coalesce(scores.common_share, scores.is_exact_match::integer) ** 2) as squared_figure,
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
        sum(n_nested)::bigint as n_nested,
        {{ effective_number('figure', 'squared_figure', 'n_probes') }} as n_effective,
        count(*) as n_documents,
        sum(n_exact) / sum(n_probes) as exact_share,
        {{ share_interval('n_exact', 'n_probes') }} as exact_interval,
        sum(n_begun) / sum(n_probes) as starts_with_share,
        {{ share_interval('n_begun', 'n_probes') }} as begun_interval,
        sum(common_tokens) / sum(n_probes) as common_tokens,
        sum(common_share) / sum(n_probes) as common_share,
        {{ share_interval('common_share', 'n_probes') }} as common_interval,
    from by_document
    group by model, dtype, scope, target

)

select
    model,
    dtype,
    scope,
    target,
    n_probes,
    n_nested,
    n_effective,
    n_documents,
    {{ rounded('exact_share') }} as exact_share,
    {{ rounded('exact_interval.low') }} as exact_share_low,
    {{ rounded('exact_interval.high') }} as exact_share_high,
    {% for figure, value in [
        ('starts_with_share', 'starts_with_share'),
        ('starts_with_share_low', 'begun_interval.low'),
        ('starts_with_share_high', 'begun_interval.high'),
    ] -%}
    case when scope != 'lens' then {{ rounded(value) }} end as {{ figure }},
    {% endfor -%}
    {% for figure, value in [
        ('common_tokens', 'common_tokens'),
        ('common_share', 'common_share'),
        ('common_share_low', 'common_interval.low'),
        ('common_share_high', 'common_interval.high'),
    ] -%}
    case when scope = 'lens' then {{ rounded(value) }} end as {{ figure }},
    {% endfor %}
from summed
order by model, dtype, scope, target
