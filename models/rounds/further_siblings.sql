-- One row per sibling that a generator request shows for comparison alone: the part of its continuation.
{{ config(materialized='view') }}

select
    round_number,
    doc_id,
    row_number() over (partition by round_number, doc_id order by position) as position,
    continuation_idx,
    further_text as text,
from {{ ref('shown_continuations') }}
where is_further
