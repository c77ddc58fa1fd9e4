-- One row per method, condition, group of probes and band, and for all bands: its scores, and its lift over
-- the text-only baseline. Groups: all scopes scored by the judge, and each scope; of these, each target; of
-- these, each typicality and origin of the atom or, for all of them, each fold. Lenses are pooled over
-- lengths.
with

by_document as (

    select
        oracle,
        condition,
        is_written,
        coalesce(scope, 'all') as scope,
        coalesce(target, 'all') as target,
        coalesce(typicality, 'all') as typicality,
        coalesce(atom_origin, 'all') as atom_origin,
        coalesce(fold, 'all') as fold,
        coalesce(band, 'all') as band,
        bool_and(is_baseline) as is_baseline,
        source_model,
        doc_id,
        count(*) as n_probes,
        count(*) filter (where is_nested) as n_nested,
        count(*) filter (where n_answers = 0) as n_missing,
        count(*) filter (where n_answers > 0 and n_empty = n_answers) as n_empty,
        count(*) filter (where n_vague > 0) as n_vague,
        count(score_mean) as n_scored,
        coalesce(sum(score_mean), 0) as score,
        coalesce(sum(score_mean ** 2), 0) as squared_score,
        coalesce(sum(easy_answer_share), 0) as easy_answer_share,
        count(score_mean - held_out_mean) as n_compared,
        coalesce(sum(score_mean - held_out_mean), 0) as lift,
        count(contrast_accuracy) as n_contrasted,
        coalesce(sum(contrast_accuracy), 0) as contrast_accuracy,
        coalesce(sum(contrast_accuracy ** 2), 0) as squared_contrast_accuracy,
        count(text_only_accuracy) as n_text_only,
        coalesce(sum(text_only_accuracy), 0) as text_only_accuracy,
        coalesce(sum(contrast_accuracy - text_only_accuracy), 0) as contrast_difference,
        count(common_share) as n_lenses,
        coalesce(sum(common_tokens), 0) as common_tokens,
        coalesce(sum(common_share), 0) as common_share,
    from {{ ref('oracle_probes') }}
    group by
        oracle,
        condition,
        is_written,
        source_model,
        doc_id,
        grouping sets (
            (),
            (scope),
            (target),
            (scope, target),
            (scope, target, typicality, atom_origin),
            (fold),
            (scope, fold),
            (target, fold),
            (scope, target, fold)
        ),
        grouping sets ((), (band))
    having
        (is_written or grouping(scope) = 0)
        and (grouping(typicality) = 1 or typicality is not null)
        and (grouping(fold) = 1 or fold is not null)
        and (grouping(band) = 1 or band is not null)

),

summed as (

    select
        oracle,
        condition,
        scope,
        target,
        typicality,
        atom_origin,
        fold,
        band,
        bool_and(is_baseline) as is_baseline,
        count(*) as n_documents,
        sum(n_probes)::bigint as n_probes,
        sum(n_nested)::bigint as n_nested,
        {{ effective_number('score', 'squared_score', 'n_scored') }} as n_effective,
        sum(n_missing)::bigint as n_missing,
        sum(n_empty)::bigint as n_empty,
        sum(n_vague)::bigint as n_vague,
        sum(n_scored)::bigint as n_scored,
        sum(score) / nullif(sum(n_scored), 0) as score_mean,
        {{ share_interval('score', 'n_scored') }} as score_mean_interval,
        sum(easy_answer_share) / nullif(sum(n_scored), 0) as easy_answer_share,
        sum(n_compared)::bigint as n_compared,
        sum(lift) / nullif(sum(n_compared), 0) as lift,
        {{ difference_interval('lift', 'n_compared') }} as lift_interval,
        sum(n_contrasted)::bigint as n_contrasted,
        {{ effective_number('contrast_accuracy', 'squared_contrast_accuracy', 'n_contrasted') }}
            as n_contrasted_effective,
        sum(contrast_accuracy) / nullif(sum(n_contrasted), 0) as contrast_accuracy,
        {{ share_interval('contrast_accuracy', 'n_contrasted') }} as contrast_accuracy_interval,
        sum(n_text_only)::bigint as n_text_only,
        sum(text_only_accuracy) / nullif(sum(n_text_only), 0) as text_only_accuracy,
        sum(contrast_difference) / nullif(sum(n_text_only), 0) as contrast_difference,
        {{ difference_from_baseline_interval('contrast_difference', 'text_only_accuracy', 'n_text_only') }}
            as contrast_difference_interval,
        sum(common_tokens) / nullif(sum(n_lenses), 0) as common_tokens,
        sum(common_share) / nullif(sum(n_lenses), 0) as common_share,
        {{ share_interval('common_share', 'n_lenses') }} as common_share_interval,
    from by_document
    group by oracle, condition, scope, target, typicality, atom_origin, fold, band

)

select
    oracle,
    condition,
    scope,
    target,
    typicality,
    atom_origin,
    fold,
    band,
    n_documents,
    n_probes,
    n_nested,
    n_missing,
    n_empty,
    n_vague,
    n_scored,
    n_effective,
    {{ rounded('score_mean') }} as score_mean,
    {{ rounded('score_mean_interval.low') }} as score_mean_low,
    {{ rounded('score_mean_interval.high') }} as score_mean_high,
    {{ rounded('easy_answer_share') }} as easy_answer_share,
    n_compared,
    {{ rounded('lift') }} as lift,
    -- The baseline's own lift is 0 by definition.
    case when not is_baseline then {{ rounded('lift_interval.low') }} end as lift_low,
    case when not is_baseline then {{ rounded('lift_interval.high') }} end as lift_high,
    n_contrasted,
    n_contrasted_effective,
    {{ rounded('contrast_accuracy') }} as contrast_accuracy,
    {{ rounded('contrast_accuracy_interval.low') }} as contrast_accuracy_low,
    {{ rounded('contrast_accuracy_interval.high') }} as contrast_accuracy_high,
    n_text_only,
    {{ rounded('text_only_accuracy') }} as text_only_accuracy,
    {{ rounded('contrast_difference') }} as contrast_difference,
    {{ rounded('contrast_difference_interval.low') }} as contrast_difference_low,
    {{ rounded('contrast_difference_interval.high') }} as contrast_difference_high,
    {{ rounded('common_tokens') }} as common_tokens,
    {{ rounded('common_share') }} as common_share,
    {{ rounded('common_share_interval.low') }} as common_share_low,
    {{ rounded('common_share_interval.high') }} as common_share_high,
    is_baseline,
from summed
order by oracle, condition, scope, target, typicality, atom_origin, fold, band
