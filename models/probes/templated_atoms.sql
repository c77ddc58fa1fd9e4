-- One row per word or lens slot of a chosen document: the atom drawn for it, or why there is none.
with

candidates as (

    select * from {{ ref('word_candidates') }}
    union all by name
    select * from {{ ref('lens_candidates') }}

),

worded as (

    select
        candidates.* exclude (atom_text, letter_case),
        draws.draw,
        chosen.n_others,
        candidates.siblings_matched >= least(settings.typical_siblings, chosen.n_others)
            as is_typical,
        replace(templates.template, '{n}', candidates.n::varchar) as verbalizer_prompt,
        coalesce(
            candidates.atom_text,
            {{ text_between('documents.text', 'candidates.atom_start', 'candidates.atom_end') }}
        ) as atom_text,
    from candidates
    join {{ ref('index_draws') }} as draws using (round_number, doc_id, scope, target, n)
    join {{ ref('chosen_documents') }} as chosen using (round_number, doc_id)
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('documents') }} as documents on chosen.document_id = documents.document_id
    join {{ ref('verbalizer_templates') }} as templates using (scope, target)

),

fitting as (

    select
        *,
        row_number() over (
            partition by round_number, doc_id, scope, target order by draw
        ) as choice,
    from worded
    where
        -- Recurs in some siblings, but too few: neither typical nor atypical.
        (target = 'prefix' or siblings_matched = 0 or is_typical)
        and not {{ is_blank('atom_text') }}
        and (
            scope = 'lens'
            or not list_contains(
                regexp_extract_all(lower(verbalizer_prompt), '[\p{L}\p{N}]+'), lower(atom_text)
            )
        )

),

slots as (

    select
        splits.round_number,
        splits.doc_id,
        splits.document_id,
        splits.split_offset,
        splits.rejection_reason,
        kinds.slot_idx,
        kinds.scope,
        kinds.target,
        row_number() over (
            partition by splits.round_number, splits.doc_id, kinds.scope, kinds.target
            order by kinds.slot_idx
        ) as choice,
    from {{ ref('splits') }} as splits
    join {{ ref('slot_kinds') }} as kinds using (split_group)
    where not kinds.is_written

)

select
    slots.* exclude (choice, rejection_reason),
    hints.n as n_drawn,
    fitting.n,
    fitting.atom_start,
    fitting.atom_end,
    fitting.atom_text,
    fitting.verbalizer_prompt,
    case
        when slots.target = 'suffix' and fitting.is_typical then 'typical'
        when slots.target = 'suffix' and fitting.siblings_matched = 0 then 'atypical'
    end as typicality,
    case when slots.target = 'suffix' then fitting.n_others end as siblings_compared,
    case when slots.target = 'suffix' then fitting.siblings_matched end as siblings_matched,
    coalesce(
        slots.rejection_reason,
        case when fitting.atom_start is null then 'no_eligible_' || slots.scope end
    ) as rejection_reason,
from slots
left join fitting using (round_number, doc_id, scope, target, choice)
left join {{ ref('index_draws') }} as hints
    on
        slots.round_number = hints.round_number
        and slots.doc_id = hints.doc_id
        and slots.scope = hints.scope
        and slots.target = hints.target
        and slots.choice = hints.draw
order by slots.round_number, slots.doc_id, slots.slot_idx
