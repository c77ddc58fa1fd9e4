-- One row per prefix: its measures, its number of eligible continuations, and whether it is eligible as far
-- as the prefix alone can show; if not, the reason.
with

-- Siblings share their prefix.
prefixes as (

    select
        source_model,
        doc_id,
        {{ measured_part('any_value(prefix)') }} as prefix,
        min(landed_at) as landed_at,
    from {{ ref('stg_rollouts') }}
    group by source_model, doc_id

),

sentences as (

    select
        source_model,
        doc_id,
        generate_subscripts(sentences, 1) = len(sentences) as is_last,
        unnest(sentences, recursive := true),
        unnest(
            text_parts(
                prefix,
                list_transform(sentences, lambda x: x.starts_at),
                list_transform(sentences, lambda x: x.ends_at)
            )
        ) as sentence,
    from {{ ref('prefix_measures') }}
    join prefixes using (source_model, doc_id)

),

judged as (

    select
        source_model,
        doc_id,
        sentence,
        {{ is_other_language('sentence') }} as is_other_language,
        {{ is_prose('sentence', 'is_last') }} as is_prose,
    from sentences

),

shares as (

    select
        source_model,
        doc_id,
        sum(if(is_other_language, 0, length(sentence))) / sum(length(sentence))
            as language_share,
        sum(if(is_prose, length(sentence), 0)) / sum(length(sentence)) as prose_share,
    from judged
    group by source_model, doc_id

),

rollouts as (

    select
        source_model,
        doc_id,
        count(*) as n_rollouts,
        count(*) filter (where exclusion_reason is null) as n_eligible_rollouts,
    from {{ ref('rollout_eligibility') }}
    group by source_model, doc_id

)

select
    source_model,
    doc_id,
    prefixes.landed_at,
    measures.prefix_length,
    list_avg(measures.diversities) as diversity,
    coalesce(shares.language_share, 0) as language_share,
    coalesce(shares.prose_share, 0) as prose_share,
    rollouts.n_rollouts,
    rollouts.n_eligible_rollouts,
    case
        when measures.prefix_length < {{ var('min_prefix_length') }} then 'prefix_too_short'
        when measures.prefix_length > {{ var('max_prefix_length') }} then 'prefix_too_long'
        when diversity < {{ var('min_diversity') }} then 'repetitive_prefix'
        when coalesce(shares.language_share, 0) < {{ var('min_language_share') }} then 'other_language'
        when coalesce(shares.prose_share, 0) < {{ var('min_prose_share') }} then 'too_little_prose'
        when rollouts.n_eligible_rollouts < {{ var('min_siblings') }} then 'too_few_siblings'
    end as exclusion_reason,
from prefixes
join {{ ref('prefix_measures') }} as measures using (source_model, doc_id)
join rollouts using (source_model, doc_id)
left join shares using (source_model, doc_id)
order by source_model, doc_id
