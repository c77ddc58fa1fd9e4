-- One row per published probe of an adopted round, with its answers from the complement and their scores.
{{ config(materialized='view') }}

with

listed as (

    select
        round_number,
        source_model,
        doc_id,
        {{ identity(['source_model', 'doc_id', 'doc_idx']) }} as document_id,
        length(doc) as text_length,
        unnest(probes) as probe,
        doc,
    from {{ source('landing', 'adopted_compact') }}

)

select
    probe.probe_id,
    round_number,
    source_model,
    doc_id,
    probe.slot_idx::integer as slot_idx,
    probe.scope,
    document_id,
    probe.split_char_offset::integer as split_offset,
    probe.target,
    probe.atom_start::integer as atom_start,
    probe.atom_end::integer as atom_end,
    probe.signed_index,
    probe.signed_index_hint as signed_index_asked,
    probe.n_tokens_actual as n_tokens,
    probe.typicality,
    probe.verbalizer_prompt,
    -- The answer to a word or lens probe is the atom.
    coalesce(
        probe.target_response, {{ text_between('doc', 'probe.atom_start', 'probe.atom_end') }}
    ) as target_response,
    probe.incorrect_plausible_answer,
    probe.synergy_check,
    probe.distribution_check,
    probe.difficulty_check,
    if(probe.target = 'suffix', 0, probe.split_char_offset)::integer as complement_start,
    if(probe.target = 'suffix', probe.split_char_offset, text_length) as complement_end,
    probe.atom_origin,
    probe.is_nested,
    probe.actual_word_distance_from_split as n_words_to_atom,
    probe.answers,
    probe.scores,
from listed
