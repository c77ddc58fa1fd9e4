-- One row per published document: its cluster of near duplicates, and its fold (train or test). Near
-- duplicates share a fold, as do documents of several source models with the same page.
with recursive

documents as (

    select
        published.round_number,
        published.source_model,
        published.doc_id,
        measures.signature,
        -- Later documents do not change the numbers of earlier ones.
        row_number() over (
            order by published.round_number, published.doc_id, published.source_model
        ) as number,
    from (
        select distinct
            rounds.round_number,
            probes.source_model,
            probes.doc_id,
        from {{ ref('probes') }} as probes
        join {{ ref('published_rounds') }} as rounds using (round_number)
        -- Their folds are published, and their near duplicates can be documents that are not.
        anti join {{ ref('stg_adopted_folds') }} as adopted
            on probes.source_model = adopted.source_model and probes.doc_id = adopted.doc_id
    ) as published
    left join {{ ref('prefix_measures') }} as measures using (source_model, doc_id)

),

-- Keys that two documents can share, and the first document with each key.
parts as (

    select
        number,
        min(number) over (partition by part) as first_number,
    from (
        select
            number,
            'doc_id ' || doc_id as part,
        from documents
        union all
        select
            number,
            'band ' || band || ' ' || {{ signature_band('signature', 'band') }} as part,
        from documents
        cross join (select unnest(range(32)) as band) as bands
        where len(signature) > 0
    )

),

pairs as (

    select distinct
        parts.number,
        parts.first_number,
    from parts
    join documents on parts.number = documents.number
    join documents as earlier on parts.first_number = earlier.number
    where
        parts.number > parts.first_number
        and (
            documents.doc_id = earlier.doc_id
            or {{ similarity('documents.signature', 'earlier.signature') }}
            >= {{ var('min_fold_similarity') }}
        )

),

edges as (

    select number, first_number as other_number from pairs
    union all
    select first_number as number, number as other_number from pairs

),

-- Transitive closure. Clusters are small, because near duplicates are excluded from drawing.
reached (number, other_number) as (

    select
        number,
        number as other_number,
    from documents
    union
    select
        reached.number,
        edges.other_number,
    from reached
    join edges on reached.other_number = edges.number

),

clustered as (

    select
        number,
        min(other_number) as first_number,
    from reached
    group by number

)

select
    documents.round_number,
    documents.source_model,
    documents.doc_id,
    earliest.doc_id as cluster,
    if({{ seeded_share(["'folds'", 'earliest.doc_id']) }} < {{ var('test_share') }}, 'test', 'train')
        as fold,
from documents
join clustered on documents.number = clustered.number
join documents as earliest on clustered.first_number = earliest.number

union all by name

select * from {{ ref('stg_adopted_folds') }}
order by source_model, doc_id
