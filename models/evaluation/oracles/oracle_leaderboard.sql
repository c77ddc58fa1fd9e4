-- One row per method and group of probes (scope, target and fold, and all of each), best first: the effect
-- of the real state on HARD probes, against no state and against another document's state. The smaller one is
-- the headline. Words and lenses have no bands; they have their contrast accuracy beside a text reader's.
with

-- What each method was scored on.
groups as (

    select
        oracle,
        scope,
        target,
        fold,
        bool_or(condition = 'real_state') as has_real_state,
        bool_or(condition = 'no_state') as has_no_state,
        bool_or(condition = 'other_document_state') as has_other_state,
        bool_and(is_baseline) as is_baseline,
        sum(n_probes) filter (where band = 'all' and condition = 'real_state') as n_probes,
        sum(n_missing) filter (where band = 'all' and condition = 'real_state') as n_missing,
        sum(n_probes - n_scored) filter (where band = 'all') as n_unscored,
    from {{ ref('oracle_scores') }}
    where typicality = 'all'
    group by oracle, scope, target, fold

),

real_state as (

    select
        oracle,
        scope,
        target,
        fold,
        band,
        n_scored,
        score_mean,
        lift,
        lift_low,
        lift_high,
        n_contrasted,
        n_contrasted_effective,
        contrast_accuracy,
        text_only_accuracy,
        contrast_difference,
        contrast_difference_low,
        contrast_difference_high,
    from {{ ref('oracle_scores') }}
    where condition = 'real_state' and typicality = 'all'

),

effects as (

    select *
    from {{ ref('oracle_state_effects') }}
    where band = 'hard'

),

better as (

    select
        scope,
        target,
        fold,
        other_oracle as oracle,
        count(*) as n_compared,
        count(*) filter (where is_better) as n_better,
        any_value(n_pairs) as n_pairs,
    from {{ ref('oracle_comparisons') }}
    group by scope, target, fold, other_oracle

),

joined as (

    select
        groups.oracle,
        groups.scope,
        groups.target,
        groups.fold,
        groups.scope = 'all' and groups.target = 'suffix' and groups.fold = 'all' as is_headline,
        coalesce(groups.n_probes, 0) as n_probes,
        coalesce(groups.n_missing, 0) as n_missing,
        groups.n_unscored,
        coalesce(hard.n_scored, 0) as n_hard,
        hard.score_mean as hard_score,
        hard.lift as hard_lift,
        hard.lift_low as hard_lift_low,
        hard.lift_high as hard_lift_high,
        coalesce(easy.n_scored, 0) as n_easy,
        easy.score_mean as easy_score,
        coalesce(no_state.n_probes, 0) as n_no_state,
        no_state.n_equal as n_equal_no_state,
        no_state.n_missing as n_missing_no_state,
        no_state.n_empty as n_empty_no_state,
        no_state.difference as minus_no_state,
        no_state.difference_low as minus_no_state_low,
        no_state.difference_high as minus_no_state_high,
        coalesce(other_state.n_probes, 0) as n_other_state,
        other_state.n_equal as n_equal_other_state,
        other_state.n_missing as n_missing_other_state,
        other_state.n_empty as n_empty_other_state,
        other_state.difference as minus_other_state,
        other_state.difference_low as minus_other_state_low,
        other_state.difference_high as minus_other_state_high,
        -- Both are needed: a null is no smaller.
        case
            when minus_no_state is not null and minus_other_state is not null
                then least(minus_no_state, minus_other_state)
        end as headline,
        case
            when minus_no_state_low is not null and minus_other_state_low is not null
                then least(minus_no_state_low, minus_other_state_low)
        end as headline_low,
        case
            when minus_no_state_high is not null and minus_other_state_high is not null
                then least(minus_no_state_high, minus_other_state_high)
        end as headline_high,
        case
            when groups.is_baseline then 'the baseline of all methods'
            when not groups.has_real_state then 'no answers from real_state'
            when not groups.has_no_state and not groups.has_other_state
                then 'no answers from no_state and other_document_state'
            when not groups.has_no_state then 'no answers from no_state'
            when not groups.has_other_state then 'no answers from other_document_state'
            when groups.scope in ('word', 'lens') then 'no bands: see contrast'
            when not no_state.is_complete and not other_state.is_complete
                then 'too few answers from no_state and other_document_state'
            when not no_state.is_complete then 'too few answers from no_state'
            when not other_state.is_complete then 'too few answers from other_document_state'
            when n_no_state = 0 or n_other_state = 0 then 'no HARD probe is scored'
            when headline_low is null then 'fewer than {{ var("min_documents") }} documents'
        end as own_reason,
        groups.is_baseline,
        coalesce(better.n_compared, 0) as n_compared,
        coalesce(better.n_pairs, 0) as n_pairs,
        better.n_better,
        least(coalesce(no_state.n_documents, 0), coalesce(other_state.n_documents, 0)) as n_documents,
        nullif(contrasts.n_contrasted, 0) as n_contrasted,
        contrasts.n_contrasted_effective,
        contrasts.contrast_accuracy,
        contrasts.text_only_accuracy,
        contrasts.contrast_difference,
        contrasts.contrast_difference_low,
        contrasts.contrast_difference_high,
    from groups
    left join (from real_state where band = 'hard') as hard using (oracle, scope, target, fold)
    left join (from real_state where band = 'easy') as easy using (oracle, scope, target, fold)
    left join (from effects where condition = 'no_state') as no_state using (oracle, scope, target, fold)
    left join (
        from effects where condition = 'other_document_state'
    ) as other_state using (oracle, scope, target, fold)
    left join better using (oracle, scope, target, fold)
    left join (
        from real_state where band = 'all' and scope in ('word', 'lens')
    ) as contrasts using (oracle, scope, target, fold)

),

placed as (

    select
        *,
        case
            when own_reason is not null then own_reason
            -- It is not known to be no worse than others.
            when
                n_compared = 0
                and count(*) filter (where own_reason is null) over (partition by scope, target, fold) > 1
                then 'fewer than {{ var("min_documents") }} documents in common with any other method'
        end as no_place_reason,
        case when no_place_reason is null then 1 + coalesce(n_better, 0) end as place,
    from joined

)

select
    is_headline,
    scope,
    target,
    fold,
    place,
    case
        when place is not null then count(*) over (partition by scope, target, fold, place)
    end as n_at_place,
    n_compared,
    n_pairs,
    oracle,
    is_baseline,
    no_place_reason,
    headline,
    headline_low,
    headline_high,
    n_documents,
    n_no_state,
    n_equal_no_state,
    n_missing_no_state,
    n_empty_no_state,
    minus_no_state,
    minus_no_state_low,
    minus_no_state_high,
    n_other_state,
    n_equal_other_state,
    n_missing_other_state,
    n_empty_other_state,
    minus_other_state,
    minus_other_state_low,
    minus_other_state_high,
    n_probes,
    n_missing,
    n_unscored,
    n_hard,
    hard_score,
    hard_lift,
    hard_lift_low,
    hard_lift_high,
    easy_score,
    n_contrasted,
    n_contrasted_effective,
    contrast_accuracy,
    text_only_accuracy,
    contrast_difference,
    contrast_difference_low,
    contrast_difference_high,
    n_easy,
from placed
order by
    is_headline desc,
    scope,
    target,
    fold,
    place nulls last,
    headline desc nulls last,
    oracle
