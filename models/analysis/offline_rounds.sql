-- One row per round in which the offline baseline wrote, answered or judged; it is no language model.
select
    round_number,
    list(distinct stage order by stage) as stages,
from {{ ref('requests') }}
where asked_model = 'lexical'
group by round_number
order by round_number
