-- One row per round and check of its judge: the share of written probes, and the model.
select
    settings.round_number,
    controls.control,
    controls.share,
    coalesce(controls.model, settings.judge_model) as judge_model,
from {{ ref('round_settings') }} as settings
join {{ ref('requested_controls') }} as controls using (round_number)
where
    controls.control in ('judge_anchors', 'judge_retest', 'second_judge')
    and controls.share > 0
    and not settings.is_calibration
order by settings.round_number, controls.control
