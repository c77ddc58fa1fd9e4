-- A second reader is not the model that answers anyway.
select
    arms.round_number,
    arms.answerer_model,
from {{ ref('round_arms') }} as arms
join {{ ref('round_settings') }} as settings using (round_number)
where arms.arm = 'second_reader' and arms.answerer_model = settings.answerer_model
