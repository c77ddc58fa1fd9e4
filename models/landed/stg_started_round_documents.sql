-- One row per document of a started round: its siblings in the order shown, and how much is shown of each.
{{ config(materialized='view') }}

with

adopted as (

    select
        round_number,
        doc_id,
        list_filter(continuations, lambda x: not x.is_further) as shown,
        list_filter(continuations, lambda x: x.is_further) as further,
    from {{ ref('stg_adopted_siblings') }}

)

select * from {{ source('landing', 'started_round_documents') }}

union all by name

select
    round_number,
    doc_id,
    list_transform(shown, lambda x: x.continuation_idx) as continuation_idxs,
    list_transform(shown, lambda x: length(x.continuation)) as kept_lengths,
    list_transform(further, lambda x: x.continuation_idx) as further_idxs,
    list_transform(further, lambda x: length(x.continuation)) as further_lengths,
    further_lengths as further_kept_lengths,
from adopted
