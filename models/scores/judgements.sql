-- One row per published judgement: of answers from the complement, by the round's judge.
{{ config(materialized='view') }}

select * exclude (arm, anchor, oracle_answer_hash, answer_request_id, judge_role, replicate, asked_model)
from {{ ref('judge_scores') }}
where arm = 'complement' and judge_role = 'judge' and replicate = 1
