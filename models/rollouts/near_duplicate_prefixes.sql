-- One row per usable prefix that is a near duplicate of another one, with the one that takes precedence: a
-- page of a started round or of a calibration, otherwise the one that landed first.
with

taken as (

    select
        settings.source_model,
        documents.doc_id,
    from {{ ref('stg_started_round_documents') }} as documents
    join {{ ref('stg_started_rounds') }} as settings using (round_number)
    union
    select
        source_model,
        doc_id,
    from {{ ref('stg_calibration_documents') }}

),

ranked as (

    select
        fitness.source_model,
        fitness.doc_id,
        measures.signature,
        row_number() over (
            partition by fitness.source_model
            order by taken.doc_id is null, fitness.landed_at, fitness.doc_id
        ) as rank,
    from {{ ref('prefix_eligibility') }} as fitness
    join {{ ref('prefix_measures') }} as measures using (source_model, doc_id)
    left join taken using (source_model, doc_id)
    where
        len(measures.signature) > 0
        and (fitness.exclusion_reason is null or taken.doc_id is not null)

),

bands as (

    select
        source_model,
        rank,
        band.number as band,
        {{ signature_band('signature', 'band.number') }} as part,
    from ranked
    cross join (select unnest(range(32)) as number) as band

),

-- Each is compared only with the first of its (LSH) band, so each of ten thousand copies of a page is
-- compared once.
candidates as (

    select distinct
        source_model,
        rank,
        min(rank) over (partition by source_model, band, part) as first_rank,
    from bands
    qualify rank > first_rank

)

select
    ranked.source_model,
    ranked.doc_id,
    arg_min(earlier.doc_id, earlier.rank) as duplicate_of_doc_id,
    max({{ similarity('ranked.signature', 'earlier.signature') }}) as similarity,
from candidates
join ranked using (source_model, rank)
join ranked as earlier
    on
        candidates.source_model = earlier.source_model
        and candidates.first_rank = earlier.rank
where
    {{ similarity('ranked.signature', 'earlier.signature') }} >= {{ var('min_duplicate_similarity') }}
group by ranked.source_model, ranked.doc_id
order by ranked.source_model, ranked.doc_id
