-- One row per source of rollouts: a file or a sampler. Sources of resampled continuations are left out:
-- nothing of them is published.
with

added as (

    select
        source_hash,
        count(*) as n_rollouts,
    from {{ source('landing', 'rollouts') }}
    group by source_hash

)

select
    sources.kind,
    sources.name,
    sources.source_hash,
    sources.details::varchar as details,
    sources.n_rows,
    coalesce(added.n_rollouts, 0) as n_rollouts,
from {{ source('landing', 'rollout_sources') }} as sources
left join added using (source_hash)
where sources.kind != 'resampler'
order by sources.kind, sources.name, sources.source_hash
