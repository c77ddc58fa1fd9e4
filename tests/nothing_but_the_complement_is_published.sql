-- A published answer was given by the round's answerer from the complement, and a published score
-- what its judge said of that answer the first time: by the ids that such requests have, whatever
-- any model calls them. Those of an adopted round were given elsewhere: they stay as published.
with

published as (

    select
        round_number,
        probe_id,
        generate_subscripts(bb_answer_rollout_answers, 1) as answer_number,
        unnest(bb_answer_rollout_answers) as answer,
        unnest(bb_answer_rollout_scores) as score,
    from {{ ref('published_probes') }}
    where round_number not in (select round_number from {{ ref('stg_adopted_rounds') }})

),

named as (

    select
        *,
        'answerer-' || {{ identity([
            'round_number', 'probe_id', "'complement'", "'answerer'", 'answer_number', '1'
        ]) }} as answer_id,
        'judge-' || {{ identity(['answer_id', "'judge'", '1']) }} as judge_id,
    from published

)

select
    named.round_number,
    named.probe_id,
    named.answer_number,
from named
where
    not exists (
        from {{ ref('responses') }} as said
        where said.request_id = named.answer_id and said.text = named.answer
    )
    or not exists (
        from {{ ref('responses') }} as said
        where
            said.request_id = named.judge_id
            and {{ stated_score('said.text') }} = named.score
    )
