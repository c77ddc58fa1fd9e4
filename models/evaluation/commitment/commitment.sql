-- One row per suffix probe whose split was resampled: how often the source model says the same again.
-- A hidden state cannot reveal more than the model would say again.
with

scored as (

    select
        passages.round_number,
        passages.probe_id,
        passages.continuation_idx,
        passages.was_cut,
        case
            when passages.was_cut then null
            when not passages.is_written then passages.has_atom::integer
            when passages.is_empty then 0
            else judgements.score
        end as score,
    from {{ ref('resample_passages') }} as passages
    left join {{ ref('judge_scores') }} as judgements
        on
            passages.probe_id = judgements.probe_id
            and judgements.arm = 'resample'
            and passages.continuation_idx + 1 = judgements.answer_number

),

counted as (

    select
        scored.round_number,
        scored.probe_id,
        count(*) as n_resamples,
        count(*) filter (where scored.was_cut) as n_cut,
        count(scored.score) as n_scored,
        avg(scored.score) as recurrence_mean,
        avg((scored.score >= borders.easy_threshold)::integer) as recurrence_share,
    from scored
    cross join ({{ band_thresholds() }}) as borders
    group by scored.round_number, scored.probe_id

)

select
    counted.round_number,
    counted.probe_id,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    probes.scope,
    probes.is_written,
    coalesce(probes.typicality, 'neither') as typicality,
    counted.n_resamples,
    counted.n_cut,
    counted.n_scored,
    -- Null as long as a judgement is missing.
    counted.n_scored > 0 and counted.n_scored + counted.n_cut = counted.n_resamples as is_scored,
    case when is_scored then {{ rounded('counted.recurrence_mean') }} end as recurrence_mean,
    case when is_scored then {{ rounded('counted.recurrence_share') }} end as recurrence_share,
    case
        when not is_scored then null
        when counted.recurrence_share = 0 then 'never'
        when counted.recurrence_share < 0.5 then 'seldom'
        else 'often'
    end as recurrence,
    {{ rounded('blind.score_mean') }} as text_only_mean,
from counted
join {{ ref('probes') }} as probes using (probe_id)
left join {{ ref('probe_scores') }} as blind on counted.probe_id = blind.probe_id
order by counted.round_number, probes.doc_id, probes.slot_idx
