-- The score at each place of the list is the judge's score of the answer at that place.
select
    judgements.probe_id,
    judgements.answer_number,
from {{ ref('published_probes') }} as published
join {{ ref('judgements') }} as judgements using (round_number, probe_id)
join {{ ref('answers') }} as answers using (round_number, probe_id, answer_number)
join {{ ref('responses') }} as responses
    on answers.request_id = responses.request_id and answers.attempt = responses.attempt
where
    published.bb_answer_rollout_scores is not null
    and (
        published.bb_answer_rollout_scores[judgements.answer_number]
        is distinct from judgements.score
        or published.bb_answer_rollout_answers[judgements.answer_number]
        is distinct from responses.text
    )
