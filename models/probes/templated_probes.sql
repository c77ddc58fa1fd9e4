-- One row per word or lens slot of a chosen document: the probe, or why there is none.
with

matched as (

    select
        round_number,
        doc_id,
        slot_idx,
        count(*) as siblings_compared,
        count(*) filter (where recurs) as siblings_matched,
    from {{ ref('sibling_matches') }}
    group by all

)

select
    atoms.round_number,
    atoms.doc_id,
    atoms.slot_idx,
    atoms.document_id,
    atoms.split_offset,
    atoms.target,
    atoms.atom_start,
    atoms.atom_end,
    case when atoms.target = 'suffix' then atoms.n else -atoms.n end as signed_index,
    case when atoms.target = 'suffix' then atoms.n_drawn else -atoms.n_drawn end
        as signed_index_asked,
    case when atoms.scope = 'lens' then atoms.n end as n_tokens,
    case
        when matched.siblings_matched >= least(settings.typical_siblings, matched.siblings_compared)
            then 'typical'
        when matched.siblings_matched = 0 then 'atypical'
    end as typicality,
    matched.siblings_compared,
    matched.siblings_matched,
    atoms.verbalizer_prompt,
    atoms.atom_text as target_response,
    wrong.wrong_answer as incorrect_plausible_answer,
    coalesce(
        atoms.rejection_reason, case when wrong.wrong_answer is null then 'no_wrong_answer' end
    ) as rejection_reason,
from {{ ref('templated_atoms') }} as atoms
join {{ ref('round_settings') }} as settings using (round_number)
left join matched using (round_number, doc_id, slot_idx)
left join {{ ref('wrong_answers') }} as wrong using (round_number, doc_id, slot_idx)
order by atoms.round_number, atoms.doc_id, atoms.slot_idx
