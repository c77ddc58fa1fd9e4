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
        list_transform(words.atom_words, lambda x: hash(x)) as atom_words,
        list_transform(words.wrong_answer_words, lambda x: hash(x)) as wrong_words,
        {{ words_of('probes.incorrect_plausible_answer') }} as wrong_answer,
        list_distinct({{ four_grams('wrong_answer') }}) as wrong_grams,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('probe_words') }} as words using (probe_id)
    join {{ ref('round_documents') }} as shown
        on probes.round_number = shown.round_number and probes.doc_id = shown.doc_id
    where probes.is_written and probes.target = 'suffix' and len(words.atom_words) > 0

),

-- What is searched for in siblings.
parts as (

    select
        source_model,
        doc_id,
        round_number,
        probe_id,
        unnest(['atom', 'wrong', 'copied']) as part,
        unnest([atom_words, wrong_words, wrong_grams]) as members,
    from asked

),

members as (

    select
        * exclude (members),
        unnest(members) as member,
    from parts

),

-- All eligible siblings, whether or not they were shown to the generator; and parts that were shown.
siblings as (

    select
        document_id,
        source_model,
        doc_id,
        continuation_idx,
        kept_length,
    from {{ ref('rollout_eligibility') }}
    where
        exclusion_reason is null
        and (source_model, doc_id) in (select source_model, doc_id from asked)

),

texts as (

    select
        siblings.source_model,
        siblings.doc_id,
        siblings.continuation_idx,
        null::integer as round_number,
        left(rollouts.continuation, siblings.kept_length) as text,
    from siblings
    join {{ ref('stg_rollouts') }} as rollouts using (document_id)

    union all

    select
        shown.source_model,
        doc_id,
        further.continuation_idx,
        round_number,
        further.text,
    from {{ ref('further_siblings') }} as further
    join {{ ref('round_documents') }} as shown using (round_number, doc_id)

),

-- Each text is read once, for all probes.
words as (

    select
        * exclude (text),
        {{ words_of('text') }} as words,
    from texts

),

said as (

    select
        * exclude (words),
        unnest(
            list_concat(list_transform(words, lambda x: hash(x)), {{ four_grams('words') }})
        ) as member,
    from words

),

-- What a text contains of it.
found as (

    select distinct
        said.*,
    from said
    semi join members using (source_model, doc_id, member)

),

counted_members as (

    select
        members.round_number,
        members.probe_id,
        found.continuation_idx,
        count(*) filter (where members.part = 'atom' and found.round_number is null) as n_atom,
        count(*) filter (where members.part = 'atom' and found.round_number is not null) as n_atom_shown,
        count(*) filter (where members.part = 'wrong' and found.round_number is null) as n_wrong,
        count(*) filter (where members.part = 'copied' and found.round_number is null) as n_copied,
    from members
    join found
        on
            members.source_model = found.source_model
            and members.doc_id = found.doc_id
            and members.member = found.member
            and coalesce(found.round_number, members.round_number) = members.round_number
    group by members.round_number, members.probe_id, found.continuation_idx

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
            'coalesce(further.text_length, siblings.kept_length)',
            'asked.atom_start'
        ) }} as was_shown,
        coalesce(counts.n_atom, 0) / len(asked.atom_words)
        >= {{ var('min_recurrence_overlap') }} as recurs,
        -- In the part that was shown.
        coalesce(if(further.doc_id is null, counts.n_atom, counts.n_atom_shown), 0)
        / len(asked.atom_words) >= {{ var('min_recurrence_overlap') }} as recurs_as_shown,
        coalesce(counts.n_wrong, 0) / nullif(len(asked.wrong_words), 0) as wrong_share,
        coalesce(counts.n_copied, 0) / nullif(len(asked.wrong_grams), 0) as copied_share,
    from siblings
    join asked
        on
            siblings.source_model = asked.source_model
            and siblings.doc_id = asked.doc_id
            and siblings.continuation_idx != asked.continuation_idx
    left join (
        select
            round_number,
            doc_id,
            continuation_idx,
            length(text) as text_length,
        from {{ ref('further_siblings') }}
    ) as further
        on
            asked.round_number = further.round_number
            and asked.doc_id = further.doc_id
            and siblings.continuation_idx = further.continuation_idx
    left join counted_members as counts
        on
            asked.round_number = counts.round_number
            and asked.probe_id = counts.probe_id
            and siblings.continuation_idx = counts.continuation_idx

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
