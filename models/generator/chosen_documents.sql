-- One row per generator request with a usable answer: the chosen document, with the spans shown to the
-- generator.
select
    outputs.round_number,
    outputs.doc_id,
    outputs.row_seed,
    outputs.request_id,
    outputs.generator_model,
    outputs.was_repaired,
    outputs.output,
    outputs.chosen.label,
    outputs.chosen.sentences,
    outputs.chosen.paragraphs,
    shown.document_id,
    shown.continuation_idx,
    shown.prefix_length,
    shown.text_length,
    shown.text_hash,
    len(round_documents.continuation_idxs) - 1 as n_others,
    n_others + len(round_documents.further_idxs) as n_compared,
from {{ ref('generator_outputs') }} as outputs
join {{ ref('documents') }} as shown on outputs.chosen.document_id = shown.document_id
join {{ ref('round_documents') }} as round_documents
    on
        outputs.round_number = round_documents.round_number
        and outputs.doc_id = round_documents.doc_id
where outputs.state = 'answered' and outputs.rejection_reason is null
order by outputs.round_number, outputs.doc_id
