-- One row per arm, answerer, measure and group of probes: the arm's result, and its difference from the
-- complement arm on the same probes. Groups: all; scope; scope and target; scope, target, typicality and
-- origin of the atom.
with

bands as (
    {{ band_thresholds() }}
),

measured as (

    select
        pairs.*,
        unnest(['mean score', 'share not hard', 'share easy']) as measure,
        unnest([
            pairs.score_mean,
            (pairs.score_max >= bands.middle_threshold)::integer,
            (pairs.score_max >= bands.easy_threshold)::integer
        ]) as value,
        unnest([
            pairs.complement_score_mean,
            (pairs.complement_score_max >= bands.middle_threshold)::integer,
            (pairs.complement_score_max >= bands.easy_threshold)::integer
        ]) as complement_value,
    from {{ ref('arm_pairs') }} as pairs
    cross join bands

),

by_document as (

    select
        arm,
        answerer_model,
        measure,
        source_model,
        doc_id,
        coalesce(scope, 'all') as scope,
        coalesce(target, 'all') as target,
        coalesce(typicality, 'all') as typicality,
        coalesce(atom_origin, 'all') as atom_origin,
        count(*) as n_probes,
        sum(value) as value,
        sum(complement_value) as complement_value,
        sum(value - complement_value) as difference,
    from measured
    group by
        grouping sets (
            (arm, answerer_model, measure, source_model, doc_id),
            (arm, answerer_model, measure, source_model, doc_id, scope),
            (arm, answerer_model, measure, source_model, doc_id, scope, target),
            (arm, answerer_model, measure, source_model, doc_id, scope, target, typicality, atom_origin)
        )
    having grouping(typicality) = 1 or typicality is not null

),

summed as (

    select
        arm,
        answerer_model,
        measure,
        scope,
        target,
        typicality,
        atom_origin,
        sum(n_probes)::bigint as n_probes,
        count(*) as n_documents,
        sum(value) / sum(n_probes) as estimate,
        {{ share_interval('value', 'n_probes') }} as estimate_interval,
        sum(complement_value) / sum(n_probes) as complement_estimate,
        sum(difference) / sum(n_probes) as difference,
        {{ difference_interval('difference', 'n_probes') }} as difference_interval,
    from by_document
    group by arm, answerer_model, measure, scope, target, typicality, atom_origin

)

select
    arm,
    answerer_model,
    measure,
    scope,
    target,
    typicality,
    atom_origin,
    n_probes,
    n_documents,
    {{ rounded('estimate') }} as estimate,
    {{ rounded('estimate_interval.low') }} as estimate_low,
    {{ rounded('estimate_interval.high') }} as estimate_high,
    {{ rounded('complement_estimate') }} as complement_estimate,
    {{ rounded('difference') }} as difference,
    -- That of the complement from itself is 0 by definition.
    case when arm != 'complement' then {{ rounded('difference_interval.low') }} end as difference_low,
    case when arm != 'complement' then {{ rounded('difference_interval.high') }} end as difference_high,
from summed
order by arm, answerer_model, measure, scope, target, typicality, atom_origin
