-- One row per probe, form in which a local model can read it, and text that is compared with its atom: the
-- wrong answer, or a resampled text. question: complement plus question. question_only: the question alone.
-- continuation: the complement of a suffix probe, as text to continue, the only form for a resampled text.
{% set parts = [
    'documents.text_hash',
    'probes.complement_start',
    'probes.complement_end',
    'probes.atom_start',
    'probes.atom_end',
    'probes.verbalizer_prompt',
] -%}
with

-- The probe's id does not cover its wrong answer.
compared as (

    select
        probes.probe_id,
        'wrong_answer' as compared_with,
        {{ identity(parts + ['probes.incorrect_plausible_answer']) }} as input_hash,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    where probes.incorrect_plausible_answer is not null

    union all

    -- It can equal the wrong answer.
    select
        probes.probe_id,
        'resampled_text' as compared_with,
        {{ identity(parts + ['resampled.resampled_text', "'resampled'"]) }} as input_hash,
    from {{ ref('resampled_texts') }} as resampled
    join {{ ref('probes') }} as probes using (probe_id)
    join {{ ref('documents') }} as documents using (document_id)

)

select
    compared.probe_id,
    probes.round_number,
    probes.scope,
    probes.target,
    forms.form,
    compared.compared_with,
    compared.input_hash,
    case
        when forms.form = 'question_only' then 0
        else probes.complement_end - probes.complement_start
    end as shown_length,
from compared
join {{ ref('probes') }} as probes using (probe_id)
join (values ('question'), ('question_only'), ('continuation')) as forms (form)
    on
        if(forms.form = 'continuation', probes.target = 'suffix', compared.compared_with = 'wrong_answer')
order by
    probes.round_number, probes.doc_id, probes.slot_idx, forms.form, compared.compared_with desc
