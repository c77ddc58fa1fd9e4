-- One row per published document of an adopted round.
select
    round_number,
    source_model,
    doc_id,
    {{ identity(['source_model', 'doc_id', 'doc_idx']) }} as document_id,
    row_splits,
    doc_choice_rationale,
    split_rationale,
    generator_model,
    list_filter(probes, lambda probe: probe.scope not in ('word', 'lens'))[1].source as written_source,
from {{ source('landing', 'adopted_compact') }}
order by round_number, doc_id
