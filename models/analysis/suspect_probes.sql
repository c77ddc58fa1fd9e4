-- One row per probe and reason to suspect that its score does not say how hard it is.
with

found as (

    select
        pairs.round_number,
        pairs.probe_id,
        pairs.arm,
        pairs.score_max,
        pairs.complement_score_max,
        bins.band,
        complement_bins.band as complement_band,
    from {{ ref('arm_pairs') }} as pairs
    join {{ ref('score_bins') }} as bins
        on
            pairs.score_max >= bins.lowest
            and pairs.score_max < coalesce(bins.below, 'infinity'::double)
    join {{ ref('score_bins') }} as complement_bins
        on
            pairs.complement_score_max >= complement_bins.lowest
            and pairs.complement_score_max < coalesce(complement_bins.below, 'infinity'::double)

)

select
    found.round_number,
    found.probe_id,
    reasons.suspicion_reason,
    found.arm,
    found.score_max,
    found.complement_score_max,
from found
join {{ ref('suspicion_reasons') }} as reasons using (arm)
where
    case reasons.suspicion_reason
        when 'answered_without_text' then found.band = 'easy'
        when 'answered_from_another_document' then found.band = 'easy'
        when 'not_answered_with_everything' then found.band != 'easy'
        when 'hard_by_the_cut' then found.complement_band = 'hard' and found.band = 'easy'
        when 'hard_for_one_reader' then found.complement_band = 'hard' and found.band = 'easy'
    end
order by found.round_number, found.probe_id, reasons.suspicion_reason
