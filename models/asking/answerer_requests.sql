-- One row per answerer request: each written probe is answered several times in each of its arms.
-- A round keeps its answerer; a control asked of another model is another request.
select
    'answerer-' || {{ identity([
        'arms.round_number',
        'arms.probe_id',
        'arms.arm',
        "if(arms.arm = 'complement', 'answerer', arms.answerer_model)",
        'numbers.answer_number',
        '1',
    ]) }} as request_id,
    'answerer' as stage,
    arms.round_number,
    arms.probe_id,
    arms.arm,
    numbers.answer_number,
    arms.shown,
    arms.document_id,
    arms.excerpt_start,
    arms.excerpt_end,
    arms.complement_was_cut,
    arms.answerer_model as model,
    {{ identity([
        'documents.text_hash',
        'arms.excerpt_start',
        'arms.excerpt_end',
        'arms.verbalizer_prompt',
    ]) }} as input_hash,
    arms.input_characters,
from {{ ref('probe_arms') }} as arms
left join {{ ref('documents') }} as documents using (document_id)
cross join unnest(range(1, arms.n_answers + 1)) as numbers (answer_number)
order by arms.round_number, arms.probe_id, arms.arm, numbers.answer_number
