-- One row per round with probes that the offline baseline, not a language model, wrote, answered or judged.
select
    requests.round_number,
    list(distinct requests.stage order by requests.stage) as stages,
from {{ ref('requests') }} as requests
join {{ ref('published_rounds') }} as rounds using (round_number)
where requests.asked_model = 'lexical' and rounds.n_probes > 0
group by requests.round_number
order by requests.round_number
