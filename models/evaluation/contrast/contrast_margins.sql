-- One row per method, probe and measure: the method's values of the atom, of the wrong answer and of the
-- resampled text.
with

measured as (

    select
        reader as method,
        true as is_text_only,
        * exclude (reader),
    from {{ ref('text_reader_scores') }}
    union all by name
    -- Only the method knows its number of tokens. Local models are already included above.
    select
        oracle || ', ' || condition as method,
        false as is_text_only,
        probe_id,
        'total' as measure,
        logp_atom as atom_value,
        logp_ipa as wrong_answer_value,
    from {{ ref('stg_oracle_answers') }} as answers
    anti join {{ ref('stg_readers') }} as readers on answers.file_hash = readers.reader_hash
    where answer_number = 1 and logp_atom is not null

)

select
    measured.*,
    atom_value - wrong_answer_value as margin,
    {{ contrast_accuracy('margin') }} as accuracy,
    {{ contrast_accuracy('(atom_value - resampled_value)') }} as resampled_accuracy,
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.scope,
    probes.target,
    {{ typicality_group('probes') }} as typicality,
    probes.atom_origin,
    probes.n_tokens,
    probes.is_nested,
from measured
join {{ ref('probes') }} as probes using (probe_id)
order by method, measure, probes.round_number, probes.doc_id, probes.slot_idx
