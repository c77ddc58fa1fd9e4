-- One row per document that a round would draw if it started now.
-- Rounds of one source model draw in order, each from the documents left by earlier ones. Documents
-- reserved for a calibration are drawn by no round, but by all levels of the calibration.
with recursive

waiting as (

    select
        round_number,
        source_model,
        seed,
        n_docs,
        row_number() over (partition by source_model order by round_number) as turn,
    from {{ ref('round_settings') }}
    where state = 'proposed' and not is_calibration

),

taken as (

    select
        settings.source_model,
        documents.doc_id,
    from {{ ref('stg_started_round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)
    union
    select
        source_model,
        doc_id,
    from {{ ref('stg_calibration_documents') }}

),

candidates as (

    select
        waiting.round_number,
        waiting.turn,
        waiting.n_docs,
        prefixes.source_model,
        prefixes.doc_id,
        {{ identity(['waiting.seed', 'prefixes.doc_id']) }} as draw,
    from waiting
    join {{ ref('prefixes') }} as prefixes using (source_model)
    anti join taken using (source_model, doc_id)
    where prefixes.exclusion_reason is null

),

drawn (source_model, doc_id, round_number, turn) using key (source_model, doc_id) as (

    select null::varchar, null::varchar, 0::bigint, 0::bigint
    union
    (
        select
            candidates.source_model,
            candidates.doc_id,
            candidates.round_number,
            candidates.turn,
        from candidates
        where
            candidates.turn = (select max(turn) from drawn) + 1
            and not exists (
                select 1
                from recurring.drawn as earlier
                where
                    earlier.source_model = candidates.source_model
                    and earlier.doc_id = candidates.doc_id
            )
        qualify
            row_number() over (
                partition by candidates.round_number order by candidates.draw, candidates.doc_id
            ) <= candidates.n_docs
    )

)

select
    round_number,
    source_model,
    doc_id,
from drawn
where turn > 0

union all

select
    settings.round_number,
    documents.source_model,
    documents.doc_id,
from {{ ref('round_settings') }} as settings
join {{ ref('stg_calibration_documents') }} as documents using (source_model)
where settings.is_calibration and settings.state = 'proposed'
order by round_number, doc_id
