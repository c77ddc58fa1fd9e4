-- One row per generator model, format of its answers and rejection reason of the complete answer, if any.
select
    answering_model as generator_model,
    answer_format,
    answer_rejection,
    sum(n_requests)::bigint as n_answers,
    sum(n_requests) / sum(sum(n_requests)) over (partition by answering_model) as share,
from {{ ref('requests') }}
where answer_format is not null
group by answering_model, answer_format, answer_rejection
order by generator_model, n_answers desc, answer_format, answer_rejection
