-- One row per written suffix probe whose prefix has other eligible continuations: in how many of them its
-- content recurs, and how much of its wrong answer occurs in one of them.
with

asked as (

    select
        probes.round_number,
        probes.probe_id,
        probes.source_model,
        probes.doc_id,
        coalesce(probes.typicality, 'neither') as typicality,
        documents.continuation_idx,
        documents.prefix_length,
        probes.atom_start,
        list_concat(shown.continuation_idxs, shown.further_idxs) as shown_idxs,
        words.atom_words,
        words.wrong_answer_words,
        {{ words_of('probes.incorrect_plausible_answer') }} as wrong_answer,
        list_distinct({{ four_grams('wrong_answer') }}) as wrong_grams,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('probe_words') }} as words using (probe_id)
    join {{ ref('round_documents') }} as shown
        on probes.round_number = shown.round_number and probes.doc_id = shown.doc_id
    where probes.is_written and probes.target = 'suffix' and len(words.atom_words) > 0

),

-- All eligible siblings, whether or not they were shown to the generator.
siblings as (

    select
        rollouts.source_model,
        rollouts.doc_id,
        rollouts.continuation_idx,
        fitness.kept_length,
        {{ words_of('left(rollouts.continuation, fitness.kept_length)') }} as words,
        {{ four_grams('words') }} as grams,
    from {{ ref('stg_rollouts') }} as rollouts
    join {{ ref('rollout_eligibility') }} as fitness using (document_id)
    where
        fitness.exclusion_reason is null
        and (rollouts.source_model, rollouts.doc_id) in (select source_model, doc_id from asked)

),

further as (

    select
        round_number,
        doc_id,
        continuation_idx,
        text,
        {{ words_of('text') }} as words,
    from {{ ref('further_siblings') }}

),

compared as (

    select
        asked.round_number,
        asked.probe_id,
        asked.typicality,
        -- A continuation that ends before the atom's place, as shown, counts neither way.
        list_contains(asked.shown_idxs, siblings.continuation_idx)
        and {{ reaches(
            'asked.prefix_length',
            'coalesce(length(further.text), siblings.kept_length)',
            'asked.atom_start'
        ) }} as was_shown,
        {{ contained_share('asked.atom_words', 'siblings.words') }}
        >= {{ var('min_recurrence_overlap') }} as recurs,
        -- In the part that was shown.
        {{ contained_share('asked.atom_words', 'coalesce(further.words, siblings.words)') }}
        >= {{ var('min_recurrence_overlap') }} as recurs_as_shown,
        {{ contained_share('asked.wrong_answer_words', 'siblings.words') }} as wrong_share,
        {{ contained_share('asked.wrong_grams', 'siblings.grams') }} as copied_share,
    from siblings
    join asked
        on
            siblings.source_model = asked.source_model
            and siblings.doc_id = asked.doc_id
            and siblings.continuation_idx != asked.continuation_idx
    left join further
        on
            asked.round_number = further.round_number
            and asked.doc_id = further.doc_id
            and siblings.continuation_idx = further.continuation_idx

),

counted as (

    select
        round_number,
        probe_id,
        any_value(typicality) as claimed_typicality,
        count(*) as n_siblings,
        count(*) filter (where recurs) as n_recurring,
        count(*) filter (where was_shown) as n_siblings_shown,
        count(*) filter (where was_shown and recurs_as_shown) as n_shown_recurring,
        max(wrong_share) as wrong_answer_in_sibling,
        max(copied_share) as wrong_answer_copied_from_sibling,
    from compared
    group by round_number, probe_id

)

select
    counted.*,
    nullif(least(n_siblings_shown, settings.typical_siblings), 0) as n_typical,
    -- By the generator's rule, from the siblings it was shown.
    case
        when n_siblings_shown = 0 then null
        when n_shown_recurring >= n_typical then 'typical'
        when n_shown_recurring = 0 then 'atypical'
        else 'neither'
    end as measured_as_shown,
    case
        when n_recurring >= n_siblings * {{ var('min_typical_share') }} then 'typical'
        when n_recurring = 0 then 'atypical'
        else 'neither'
    end as measured_typicality,
from counted
join {{ ref('round_settings') }} as settings using (round_number)
order by round_number, probe_id
