-- One row per suffix probe whose split was resampled: how often the source model says the same again. Half
-- of the draws set the band `recurrence`; the other half gives the figures of a band.
with

scored as (

    select
        passages.round_number,
        passages.probe_id,
        passages.continuation_idx,
        passages.was_cut,
        answers.is_same,
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
    left join {{ ref('resample_answers') }} as answers
        on
            passages.probe_id = answers.probe_id
            and passages.continuation_idx = answers.continuation_idx

),

-- Of the scored ones, the first, third and so on set the band.
halved as (

    select
        *,
        row_number() over (
            partition by probe_id, score is null
            order by continuation_idx
        ) % 2 = 1 as sets_band,
    from scored

),

counted as (

    select
        halved.round_number,
        halved.probe_id,
        count(*) as n_resamples,
        count(*) filter (where halved.was_cut) as n_cut,
        count(halved.score) as n_scored,
        avg(halved.score) as recurrence_mean,
        avg((halved.score >= borders.easy_threshold)::integer) as recurrence_share,
        avg((halved.score >= borders.easy_threshold)::integer) filter (where halved.sets_band)
            as banding_share,
        avg(halved.score) filter (where not halved.sets_band) as other_mean,
        avg((halved.score >= borders.easy_threshold)::integer) filter (where not halved.sets_band)
            as other_share,
        avg(halved.is_same::integer) as same_share,
    from halved
    cross join ({{ band_thresholds() }}) as borders
    group by halved.round_number, halved.probe_id

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
        when is_scored
            then {{ rounded('if(probes.is_written, counted.recurrence_mean, counted.same_share)') }}
    end as agreement,
    case
        when not is_scored or counted.n_scored < 2 then null
        when counted.banding_share = 0 then 'never'
        when counted.banding_share < 0.5 then 'seldom'
        else 'often'
    end as recurrence,
    case when recurrence is not null then {{ rounded('counted.other_mean') }} end as other_mean,
    case when recurrence is not null then {{ rounded('counted.other_share') }} end as other_share,
    {{ rounded('blind.score_mean') }} as text_only_mean,
from counted
join {{ ref('probes') }} as probes using (probe_id)
left join {{ ref('probe_scores') }} as blind on counted.probe_id = blind.probe_id
order by counted.round_number, probes.doc_id, probes.slot_idx
