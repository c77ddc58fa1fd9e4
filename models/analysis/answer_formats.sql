-- One row per form in which generator answers came: read as they were, mended, or unusable.
select
    case
        when state in ('pending', 'open') then 'not answered yet'
        when rejection_reason is not null then 'unusable: ' || rejection_reason
        when was_repaired then 'mended'
        else 'strict JSON'
    end as answer_format,
    count(*) as n_answers,
    count(*) / sum(count(*)) over () as share,
from {{ ref('generator_outputs') }}
group by all
order by n_answers desc, answer_format
