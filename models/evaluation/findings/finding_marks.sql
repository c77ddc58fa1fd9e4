-- One row per finding and mark: how many of the probes that raters marked have the mark, with and without the
-- finding.
with

checked as (

    select
        measures.finding,
        marks.mark,
        measures.value >= findings.threshold as is_found,
    from {{ ref('probe_marks') }} as marks
    join {{ ref('probe_measures') }} as measures using (probe_id)
    join {{ ref('findings') }} as findings using (finding)
    where marks.mark is not null

),

counted as (

    select
        checked.finding,
        names.name as mark,
        count(*) filter (where checked.is_found) as n_found,
        count(*) filter (where checked.is_found and checked.mark = names.name) as n_found_and_marked,
        count(*) filter (where not checked.is_found) as n_others,
        count(*) filter (where not checked.is_found and checked.mark = names.name) as n_others_marked,
    from checked
    join {{ ref('names') }} as names on names.kind = 'mark'
    group by checked.finding, names.name

)

select
    *,
    {{ rounded('n_found_and_marked / nullif(n_found, 0)') }} as share_of_found,
    {{ rounded('n_others_marked / nullif(n_others, 0)') }} as share_of_others,
from counted
order by finding, mark
