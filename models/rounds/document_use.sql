-- One row per prefix: whether a round has used it, is about to draw it, or can still draw it.
with

drawn as (

    select
        documents.source_model,
        documents.doc_id,
        documents.round_number,
        documents.is_frozen,
    from {{ ref('round_documents') }} as documents
    join {{ ref('round_settings') }} as settings using (round_number)
    where not settings.is_calibration

)

select
    prefixes.source_model,
    prefixes.doc_id,
    case
        when drawn.is_frozen then 'used'
        when calibration.doc_id is not null then 'calibration'
        when drawn.round_number is not null then 'drawn'
        when prefixes.exclusion_reason is not null then 'excluded'
        else 'available'
    end as use,
    drawn.round_number,
    prefixes.exclusion_reason,
from {{ ref('prefixes') }} as prefixes
left join drawn using (source_model, doc_id)
left join {{ ref('stg_calibration_documents') }} as calibration using (source_model, doc_id)
order by prefixes.source_model, prefixes.doc_id
