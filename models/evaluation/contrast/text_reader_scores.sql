-- One row per text reader, measure and probe: its values of the atom, of the wrong answer and of the
-- resampled text. A text reader knows no hidden state; of two texts, it prefers the one with the greater
-- value.
with

local_models as (

    select
        model || ' (' || dtype || '), ' || form as reader,
        unnest(['total', 'per token']) as measure,
        probe_id,
        unnest([atom_logprob, atom_logprob_per_token]) as atom_value,
        unnest([wrong_answer_logprob, wrong_answer_logprob_per_token]) as wrong_answer_value,
        unnest([resampled_logprob, resampled_logprob_per_token]) as resampled_value,
    from {{ ref('token_scores') }}

)

select * from local_models
union all by name
select * from {{ ref('rule_readers') }}
union all by name
-- Those published with an adopted data set, except of local models that were also run here.
select
    adopted.reader,
    adopted.measure,
    adopted.probe_id,
    adopted.atom_value,
    adopted.wrong_answer_value,
from {{ ref('stg_adopted_text_readers') }} as adopted
anti join local_models using (reader, measure, probe_id)
order by reader, measure, probe_id
