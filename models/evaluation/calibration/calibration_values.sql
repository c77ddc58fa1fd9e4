-- One row per level, document, scope and measure of a calibration: sum and number of values.
with

written as (

    select
        settings.calibration_level,
        slots.source_model,
        slots.doc_id,
        slots.scope,
        slots.state,
        slots.rejection_reason,
        scores.score_max,
        bins.bin,
        bins.band,
    from {{ ref('slots') }} as slots
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('slot_kinds') }} as kinds on slots.slot_idx = kinds.slot_idx
    left join {{ ref('probes') }} as probes
        on
            slots.round_number = probes.round_number
            and slots.doc_id = probes.doc_id
            and slots.slot_idx = probes.slot_idx
    left join {{ ref('probe_scores') }} as scores on probes.probe_id = scores.probe_id
    left join {{ ref('score_bins') }} as bins on {{ is_in_bin('scores.score_max', 'bins') }}
    where settings.is_calibration and kinds.is_written and slots.state != 'pending'

),

reasons as (

    select distinct rejection_reason
    from written
    where rejection_reason is not null

),

valued as (

    select
        calibration_level,
        source_model,
        doc_id,
        scope,
        'finalize rate' as measure,
        (state = 'probe')::integer as value,
    from written
    -- A slot that the document does not allow is no fault of the answer.
    where rejection_reason is distinct from 'declined'
    union all
    select
        written.calibration_level,
        written.source_model,
        written.doc_id,
        written.scope,
        'rejected: ' || reasons.rejection_reason as measure,
        (written.rejection_reason is not distinct from reasons.rejection_reason)::integer as value,
    from written
    cross join reasons
    union all
    select
        calibration_level,
        source_model,
        doc_id,
        scope,
        unnest(['mean best score', 'share hard', 'share easy']) as measure,
        unnest([score_max, (band = 'hard')::integer, (band = 'easy')::integer]) as value,
    from written
    where score_max is not null
    union all
    select
        written.calibration_level,
        written.source_model,
        written.doc_id,
        written.scope,
        'best score in ' || bins.label as measure,
        (written.bin = bins.bin)::integer as value,
    from written
    cross join {{ ref('score_bins') }} as bins
    where written.score_max is not null

)

select
    calibration_level,
    source_model,
    doc_id,
    coalesce(scope, 'all') as scope,
    measure,
    sum(value) as value,
    sum(value ** 2) as square,
    count(*) as n_values,
from valued
group by
    grouping sets (
        (calibration_level, source_model, doc_id, measure),
        (calibration_level, source_model, doc_id, measure, scope)
    )

union all

-- Requests and dollars are per document, not per scope.
select
    calibration_level,
    source_model,
    doc_id,
    'all' as scope,
    unnest(['answered requests of a document', 'dollars of a document']) as measure,
    unnest([count(*), {{ sum_or_null('usd') }}]) as value,
    null as square,
    1 as n_values,
from {{ ref('calibration_requests') }}
group by calibration_level, source_model, doc_id
order by calibration_level, source_model, doc_id, scope, measure
