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
    list_transform(
        list_filter(
            list_zip(
                list_concat(round_documents.continuation_idxs, round_documents.further_idxs),
                list_concat(round_documents.kept_lengths, round_documents.further_lengths)
            ),
            lambda x: x[1] != shown.continuation_idx
        ),
        lambda x: x[2]
    ) as other_lengths,
from {{ ref('generator_outputs') }} as outputs
join {{ ref('documents') }} as shown on outputs.chosen.document_id = shown.document_id
join {{ ref('round_documents') }} as round_documents
    on
        outputs.round_number = round_documents.round_number
        and outputs.doc_id = round_documents.doc_id
where outputs.state = 'answered' and outputs.rejection_reason is null
order by outputs.round_number, outputs.doc_id
