-- One row per word or lens probe whose split was resampled, if the source model says something else there:
-- what it says in the atom's place, in the first continuation of which the probe could have been made.
-- Not in the first one that says something else: that favours the atom, which is then the more probable of
-- two texts in more than half of the probes even where the split does not depend on it.
select
    round_number,
    probe_id,
    arg_min(answer, continuation_idx) as resampled_text,
from {{ ref('resample_answers') }}
where answer is not null
group by round_number, probe_id
having not arg_min(is_same, continuation_idx)
order by round_number, probe_id
