-- One row per probe and form in which a local model can read it. question: complement plus question.
-- question_only: the question alone. continuation: the complement of a suffix probe, as text to continue.
select
    probes.probe_id,
    probes.round_number,
    probes.scope,
    probes.target,
    forms.form,
    -- The probe's id does not cover its wrong answer.
    {{ identity([
        'documents.text_hash',
        'probes.complement_start',
        'probes.complement_end',
        'probes.atom_start',
        'probes.atom_end',
        'probes.verbalizer_prompt',
        'probes.incorrect_plausible_answer',
    ]) }} as input_hash,
    case
        when forms.form = 'question_only' then 0
        else probes.complement_end - probes.complement_start
    end as shown_length,
from {{ ref('probes') }} as probes
join {{ ref('documents') }} as documents using (document_id)
join (values ('question'), ('question_only'), ('continuation')) as forms (form)
    on forms.form != 'continuation' or probes.target = 'suffix'
where probes.incorrect_plausible_answer is not null
order by probes.round_number, probes.doc_id, probes.slot_idx, forms.form
