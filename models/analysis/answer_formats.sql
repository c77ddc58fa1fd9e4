-- One row per form in which the generator answered: as asked for, mended, or unusable.
select
    answer_format,
    sum(n_requests)::bigint as n_answers,
    sum(n_requests) / sum(sum(n_requests)) over () as share,
from {{ ref('requests') }}
where answer_format is not null
group by answer_format
order by n_answers desc, answer_format
