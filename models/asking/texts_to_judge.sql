-- One row per text that the judge scores as an answer to a probe's question. A new kind of text is a new
-- part of this union; `text_id` is the request in which the round's judge scores it first.
{{ config(materialized='view') }}

select
    'judge-' || {{ identity(['answers.request_id', "'judge'", '1']) }} as text_id,
    'answer' as kind,
    answers.round_number,
    answers.probe_id,
    answers.arm,
    null as anchor,
    null as oracle_answer_hash,
    answers.answer_number,
    answers.request_id as answer_request_id,
    answers.attempt as answer_attempt,
    responses.text,
from {{ ref('arm_answers') }} as answers
join {{ ref('responses') }} as responses
    on answers.request_id = responses.request_id and answers.attempt = responses.attempt
where answers.state = 'answered'

union all by name

select
    'judge-' || {{ identity([
        "'anchor'", 'round_number', 'probe_id', 'anchor', "'judge'", '1'
    ]) }} as text_id,
    'anchor' as kind,
    round_number,
    probe_id,
    anchor,
    answer as text,
from {{ ref('anchor_answers') }}

union all by name

select
    'judge-' || {{ identity(["'oracle'", 'probe_id', 'answer_hash']) }} as text_id,
    'oracle_answer' as kind,
    round_number,
    probe_id,
    answer_hash as oracle_answer_hash,
    answer as text,
from {{ ref('oracle_texts') }}

union all by name

select
    'judge-' || {{ identity(["'resample'", 'passages.probe_id', 'passages.continuation_idx']) }}
        as text_id,
    'resample' as kind,
    passages.round_number,
    passages.probe_id,
    'resample' as arm,
    passages.continuation_idx + 1 as answer_number,
    left(resamples.continuation, passages.passage_length) as text,
from {{ ref('resample_passages') }} as passages
join {{ ref('stg_resamples') }} as resamples
    on
        passages.source_model = resamples.source_model
        and passages.prefix_hash = resamples.prefix_hash
        and passages.continuation_idx = resamples.continuation_idx
where passages.is_written and not passages.is_empty and not passages.was_cut
