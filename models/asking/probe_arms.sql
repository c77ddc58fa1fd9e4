-- One row per written probe and arm in which it is answered: the answerer, and the text it is shown.
with

asked as (

    select
        probes.probe_id,
        probes.round_number,
        probes.document_id as own_document_id,
        probes.target,
        probes.complement_start,
        probes.complement_end,
        probes.atom_end - probes.atom_start as atom_length,
        probes.verbalizer_prompt,
        probes.complement_end - probes.complement_start as complement_length,
        arms.arm,
        arms.shown,
        arms.answerer_model,
        arms.n_answers,
        {{ is_cut('arms.arm', 'complement_length', 'settings') }} as complement_was_cut,
        if(complement_was_cut, settings.complement_characters, complement_length)
            as shown_length,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('round_arms') }} as arms using (round_number)
    anti join {{ ref('adopted_answers') }} as adopted
        on probes.probe_id = adopted.probe_id and arms.arm = adopted.arm
    where
        probes.is_written
        and (
            arms.is_asked
            and (
                arms.arm = 'complement'
                or {{ is_in_control_sample('settings.seed', 'probes.probe_id', 'arms.share') }}
            )
            or arms.arm = 'held_out'
            and probes.probe_id in (select probe_id from {{ ref('oracle_questions') }})
        )
        -- If nothing was cut, the full complement was already shown.
        and (arms.arm != 'full_complement' or complement_length > settings.complement_characters)

),

-- End of the text shown from the beginning, and start of the text shown from the end.
placed as (

    select
        asked.*,
        if(asked.shown = 'other_document', others.document_id, asked.own_document_id)
            as shown_document_id,
        case
            when asked.shown != 'other_document'
                then if(asked.target = 'suffix', asked.complement_end, asked.complement_start)
            else
                {{ other_split('target', 'texts.text', 'others.text_length', 'complement_length') }}
        end as split_offset,
        if(asked.shown = 'other_document', others.text_length, documents.text_length)
            as text_length,
    from asked
    join {{ ref('documents') }} as documents on asked.own_document_id = documents.document_id
    left join {{ ref('other_documents') }} as others using (round_number, probe_id)
    left join {{ ref('documents') }} as texts on others.document_id = texts.document_id
    where asked.shown != 'other_document' or others.document_id is not null

)

select
    probe_id,
    round_number,
    arm,
    shown,
    if(shown = 'nothing', null, shown_document_id) as document_id,
    -- The characters nearest the split.
    case
        when shown = 'nothing' then null
        when target = 'suffix' then greatest(0, split_offset - shown_length)
        else split_offset
    end as excerpt_start,
    case
        when shown = 'nothing' then null
        when target = 'suffix' then split_offset
        else least(text_length, split_offset + shown_length)
    end as excerpt_end,
    complement_was_cut,
    coalesce(excerpt_end - excerpt_start, 0)
    + if(shown = 'complement_and_atom', atom_length, 0)
    + length(verbalizer_prompt) as input_characters,
    verbalizer_prompt,
    answerer_model,
    n_answers,
from placed
order by round_number, probe_id, arm
