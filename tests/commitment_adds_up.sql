-- Every continuation of every suffix probe at its split is looked at, and the groups of the summary are the
-- parts of what is over them.
with

expected as (

    select
        probes.probe_id,
        count(*) as n_resamples,
    from {{ ref('probes') }} as probes
    join {{ ref('resample_splits') }} as splits using (document_id, split_offset)
    join {{ ref('stg_resamples') }} as resamples
        on
            splits.source_model = resamples.source_model
            and splits.prefix_hash = resamples.prefix_hash
    where probes.target = 'suffix'
    group by probes.probe_id

),

scored as (

    select
        count(recurrence_mean) as n_probes,
        count(recurrence) as n_banded,
        count(recurrence_mean) filter (where typicality is not null) as n_labelled,
        count(*) - count(recurrence_mean) as n_unscored,
        count(*) as n_resampled,
    from {{ ref('commitment') }}

),

summed as (

    select
        sum(n_probes) filter (where typicality = 'all' and recurrence = 'all') as n_by_scope,
        sum(n_probes) filter (where typicality = 'all' and recurrence != 'all') as n_by_recurrence,
        sum(n_probes) filter (where typicality != 'all' and recurrence = 'all') as n_by_typicality,
        sum(n_unscored) filter (where typicality = 'all' and recurrence = 'all') as n_unscored,
    from {{ ref('commitment_summary') }}
    where scope != 'all'

)

select
    probe_id as fault,
from expected
full join {{ ref('commitment') }} using (probe_id)
where expected.n_resamples is distinct from commitment.n_resamples

union all

select
    'sums' as fault,
from scored
cross join summed
where
    scored.n_resampled > 0
    and (
        summed.n_by_scope is distinct from scored.n_probes
        or coalesce(summed.n_by_recurrence, 0) is distinct from scored.n_banded
        or coalesce(summed.n_by_typicality, 0) is distinct from scored.n_labelled
        or summed.n_unscored is distinct from scored.n_unscored
    )

union all

select
    'blind' as fault,
from {{ ref('commitment_summary') }}
where isnan(text_only_mean) or (n_text_only_scored = 0) != (text_only_mean is null)
