-- One row per generator request: one per document of a round with at least one possible split.
-- A request that was sent stays a request, even if thresholds change. An adopted round has its probes.
select
    'generator-' || {{ identity([
        'shown.round_number',
        'shown.source_model',
        'shown.doc_id',
        'settings.calibration_level',
        "'generator'",
        '1',
    ]) }} as request_id,
    'generator' as stage,
    shown.round_number,
    shown.source_model,
    shown.doc_id,
    shown.row_seed,
    settings.calibration_level,
    settings.generator_model as model,
    -- Unit ids land with the request, and further siblings are frozen with the round.
    {{ identity([
        'levels.addendum',
        'list(shown.text_hash order by shown.position)',
    ]) }} as input_hash,
    (sum(shown.text_length) + coalesce(list_sum(documents.further_lengths), 0))::bigint
        as input_characters,
from {{ ref('shown_documents') }} as shown
join {{ ref('round_documents') }} as documents using (round_number, doc_id)
join {{ ref('round_settings') }} as settings using (round_number)
left join {{ ref('calibration_levels') }} as levels
    on settings.calibration_level = levels.calibration_level
where settings.state != 'withdrawn' and not settings.is_adopted
group by
    shown.round_number,
    shown.source_model,
    shown.doc_id,
    shown.row_seed,
    settings.calibration_level,
    settings.generator_model,
    settings.min_siblings,
    levels.addendum,
    documents.further_lengths
having
    (count(*) >= settings.min_siblings and bool_or(shown.can_be_chosen))
    or request_id in (select request_id from {{ ref('stg_requests') }})
order by shown.round_number, shown.doc_id
