-- One row per number of distinct splits: documents with that many.
with

splits as (

    select distinct
        source_model,
        doc_id,
        unnest([row_splits.word_lens, row_splits.sentence, row_splits.paragraph, row_splits.whole])
            as split_offset,
    from {{ ref('train') }}

),

counted as (

    select
        source_model,
        doc_id,
        count(split_offset) as n_splits,
    from splits
    group by source_model, doc_id

)

select
    n_splits,
    count(*) as n_documents,
    count(*) / sum(count(*)) over () as share,
from counted
group by n_splits
order by n_splits
