-- One row: totals of the data set.
with

published as (

    select
        count(*) as n_probes,
        count(distinct row(source_model, doc_id)) as n_documents,
    from {{ ref('train') }}

),

scored as (

    select
        count(*) as n_scored,
        avg(score_max) as score_max_mean,
        stddev_pop(score_max) as score_max_deviation,
        avg((band = 'hard')::integer) as hard_share,
        avg((band = 'easy')::integer) as easy_share,
    from {{ ref('scored_probes') }}

)

select
    published.n_probes,
    published.n_documents,
    published.n_probes + (select count(*) from {{ ref('rejections') }}) as n_slots,
    (select count(*) from {{ ref('rejections') }}) as n_rejected,
    scored.n_scored,
    (select count(*) from {{ ref('unscored') }}) as n_unscored,
    scored.score_max_mean,
    scored.score_max_deviation,
    scored.hard_share,
    scored.easy_share,
from published
cross join scored
