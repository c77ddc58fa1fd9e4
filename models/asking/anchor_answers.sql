-- One row per anchor: an answer with a known score that the judge is shown like any other.
with

drawn as (

    select
        probes.round_number,
        probes.probe_id,
        probes.slot_idx,
        probes.target_response,
        probes.incorrect_plausible_answer,
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
        others.doc_id as other_doc_id,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('judge_checks') }} as checks
        on probes.round_number = checks.round_number and checks.control = 'judge_anchors'
    join {{ ref('documents') }} as documents on probes.document_id = documents.document_id
    join {{ ref('document_order') }} as own
        on probes.round_number = own.round_number and probes.doc_id = own.doc_id
    join {{ ref('document_order') }} as others
        on own.round_number = others.round_number and own.position % own.n_documents + 1 = others.position
    where
        probes.is_written
        and {{ is_in_control_sample('settings.seed', 'probes.probe_id', 'checks.share') }}

),

said as (

    select
        drawn.round_number,
        drawn.probe_id,
        anchors.anchor,
        anchors.expected_score,
        case anchors.anchor
            when 'target_response' then drawn.target_response
            when 'atom' then drawn.atom_text
            when 'incorrect_plausible_answer' then drawn.incorrect_plausible_answer
            when 'target_of_another' then others.target_response
            else coalesce(anchors.text, '')
        end as answer,
    from drawn
    cross join {{ ref('answer_anchors') }} as anchors
    -- No anchor if the next document is the same or has no probe in this slot.
    left join {{ ref('probes') }} as others
        on
            drawn.round_number = others.round_number
            and drawn.other_doc_id = others.doc_id
            and drawn.slot_idx = others.slot_idx
            and drawn.probe_id != others.probe_id

)

select *
from said
where answer is not null
order by round_number, probe_id, anchor
