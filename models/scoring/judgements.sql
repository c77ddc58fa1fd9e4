-- One row per judgement that is to be published: of answers from the complement, by the round's judge.
{{ config(materialized='view') }}

select * exclude (arm, answer_request_id)
from {{ ref('judge_scores') }}
where arm = 'complement'
