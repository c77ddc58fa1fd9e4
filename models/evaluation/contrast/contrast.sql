-- One row per method, measure and group of probes: how often the atom is preferred to the wrong answer, by
-- what margin, and how the text readers that were chosen on other documents do on the same probes; and how
-- often it is preferred to what the source model also says at the split, to compare methods with each other.
{% set group = 'method, measure, scope, target, typicality, atom_origin, lens_length' -%}
with

-- Numbers stand for their columns, which would be compared again in each step.
pairs as (

    select
        *,
        dense_rank() over (order by {{ group }}) as group_number,
    from {{ ref('contrast_groups') }}

),

numbered as (

    select
        group_number,
        {{ group }},
        count(*) as n_pairs,
    from pairs
    group by all

),

candidate_values as (

    select
        group_number,
        value,
        count(*) filter (where is_atom) as n_atoms,
        count(*) filter (where not is_atom) as n_wrong_answers,
    from (
        select
            group_number,
            unnest([true, false]) as is_atom,
            unnest([atom_value, wrong_answer_value]) as value,
        from pairs
    )
    group by all

),

-- How many candidates of each kind have a lower value; equal ones count half.
ranked as (

    select
        group_number,
        value,
        sum(n_atoms) over by_value - n_atoms / 2 as n_atoms_below,
        sum(n_wrong_answers) over by_value - n_wrong_answers / 2 as n_wrong_answers_below,
    from candidate_values
    window by_value as (partition by group_number order by value)

),

-- For each probe: the share of wrong answers ranked below its atom, and the share of atoms ranked above
-- its wrong answer. The mean of either is the AUC.
placed as (

    select
        pairs.group_number,
        pairs.source_model,
        pairs.doc_id,
        pairs.probe_id,
        pairs.margin,
        pairs.accuracy,
        pairs.resampled_accuracy,
        pairs.is_nested,
        atoms.n_wrong_answers_below / numbered.n_pairs as atom_placement,
        1 - wrong_answers.n_atoms_below / numbered.n_pairs as wrong_answer_placement,
    from pairs
    join numbered using (group_number)
    join ranked as atoms
        on pairs.group_number = atoms.group_number and pairs.atom_value = atoms.value
    join ranked as wrong_answers
        on
            pairs.group_number = wrong_answers.group_number
            and pairs.wrong_answer_value = wrong_answers.value

),

by_document as (

    select
        group_number,
        source_model,
        doc_id,
        count(*) as n_probes,
        count(*) filter (where is_nested) as n_nested,
        sum(placed.accuracy) as accuracy,
        sum(placed.accuracy ** 2) as squared_accuracy,
        -- In order, or the last digits of sums would differ from build to build.
        list([margin, atom_placement, atom_placement + wrong_answer_placement] order by probe_id)
            as values,
        list_transform(values, lambda x: x[1]) as margins,
        list_sum(margins) as margin,
        list_sum(list_transform(values, lambda x: x[2])) as atom_placements,
        -- First-order approximation of the AUC's variation (Obuchowski, Biometrics 53, 1997).
        list_sum(list_transform(values, lambda x: x[3])) as placements,
        list(distinct baselines.reader) as readers,
        count(baselines.accuracy) as n_compared,
        sum(baselines.accuracy) as baseline_accuracy,
        coalesce(sum(placed.accuracy - baselines.accuracy), 0) as difference,
        count(placed.resampled_accuracy) as n_resampled,
        coalesce(sum(placed.resampled_accuracy), 0) as resampled_accuracy,
    from placed
    left join {{ ref('contrast_baselines') }} as baselines using (probe_id)
    group by group_number, source_model, doc_id

),

summed as (

    select
        group_number,
        sum(n_probes)::bigint as n_probes,
        sum(n_nested)::bigint as n_nested,
        {{ effective_number('accuracy', 'squared_accuracy', 'n_probes') }} as n_effective,
        count(*) as n_documents,
        sum(accuracy) / sum(n_probes) as accuracy,
        sum(margin order by source_model, doc_id) / sum(n_probes) as margin_mean,
        flatten(list(margins)) as margins,
        sum(atom_placements order by source_model, doc_id) / sum(n_probes) as auc,
        {{ share_interval('accuracy', 'n_probes') }} as accuracy_interval,
        {{ mean_intervals(['margin', 'placements'], 'n_probes') }} as intervals,
        -- A method that is always right has an AUC without variation.
        {{ share_interval('atom_placements', 'n_probes') }} as auc_interval,
        list_sort(list_distinct(flatten(list(readers)))) as readers,
        sum(n_compared)::bigint as n_compared,
        sum(baseline_accuracy) / nullif(sum(n_compared), 0) as baseline_accuracy,
        sum(difference) / nullif(sum(n_compared), 0) as difference,
        {{ difference_from_baseline_interval('difference', 'baseline_accuracy', 'n_compared') }}
            as difference_interval,
        sum(n_resampled)::bigint as n_resampled,
        sum(resampled_accuracy) / nullif(sum(n_resampled), 0) as resampled_accuracy,
        {{ share_interval('resampled_accuracy', 'n_resampled') }} as resampled_interval,
    from by_document
    group by group_number

)

select
    {{ group }},
    n_probes,
    n_nested,
    n_effective,
    n_documents,
    {{ rounded('accuracy') }} as accuracy,
    {{ rounded('accuracy_interval.low') }} as accuracy_low,
    {{ rounded('accuracy_interval.high') }} as accuracy_high,
    {{ rounded('margin_mean') }} as margin_mean,
    {{ rounded('intervals[1].low') }} as margin_mean_low,
    {{ rounded('intervals[1].high') }} as margin_mean_high,
    {% for percent in [5, 25, 50, 75, 95] -%}
    {{ rounded("list_aggregate(margins, 'quantile_cont', " ~ percent / 100 ~ ")") }}
        as margin_percentile_{{ percent }},
    {% endfor -%}
    {{ rounded('auc') }} as auc,
    {% for end, value in [
        ('low', 'if(intervals[2].low < auc, 0, intervals[2].low - auc)'),
        ('high', 'if(intervals[2].high > 1 + auc, 1, intervals[2].high - auc)'),
    ] -%}
    {{ rounded('if(auc in (0, 1), auc_interval.' ~ end ~ ', ' ~ value ~ ')') }} as auc_{{ end }},
    {% endfor -%}
    nullif(array_to_string(readers, ' / '), '') as text_only_baseline,
    n_compared as n_text_only,
    {{ rounded('baseline_accuracy') }} as text_only_accuracy,
    {{ rounded('difference') }} as difference,
    {{ rounded('difference_interval.low') }} as difference_low,
    {{ rounded('difference_interval.high') }} as difference_high,
    n_resampled,
    {{ rounded('resampled_accuracy') }} as resampled_accuracy,
    {{ rounded('resampled_interval.low') }} as resampled_accuracy_low,
    {{ rounded('resampled_interval.high') }} as resampled_accuracy_high,
from summed
join numbered using (group_number)
order by {{ group }}
