-- One row per published document: its text once, its probes as spans and splits.
-- Lossless: `flattened` rebuilds `train` from it.
{{ config(materialized='view') }}

select
    round_number,
    source_model,
    doc_id,
    any_value(doc_source) as doc_source,
    any_value(doc_idx) as doc_idx,
    any_value(doc) as doc,
    any_value(row_seed) as row_seed,
    any_value(row_splits) as row_splits,
    any_value(generator_model) as generator_model,
    any_value(doc_choice_rationale) as doc_choice_rationale,
    any_value(split_rationale) as split_rationale,
    any_value(tokenizer) as tokenizer,
    list(
        {
            'probe_id': probe_id,
            'slot_idx': slot_idx::bigint,
            'scope': scope,
            'target': target,
            'split_char_offset': split_char_offset,
            'atom_start': atom_start::bigint,
            'atom_end': atom_end::bigint,
            'verbalizer_prompt': verbalizer_prompt,
            -- The answer to a word or lens probe is the atom.
            'target_response': nullif(target_response, atom_text),
            'incorrect_plausible_answer': incorrect_plausible_answer,
            'answers': bb_answer_rollout_answers,
            'scores': bb_answer_rollout_scores,
            'typicality': typicality,
            'signed_index': signed_index::bigint,
            'signed_index_hint': signed_index_hint::bigint,
            'actual_word_distance_from_split': actual_word_distance_from_split::bigint,
            'n_tokens_actual': n_tokens_actual::bigint,
            'synergy_check': synergy_check,
            'distribution_check': distribution_check,
            'difficulty_check': difficulty_check,
            'source': source
            {%- for column in added_columns() %},
            '{{ column.name }}': {{ column.name }}
            {%- endfor %}
        }
        order by slot_idx
    ) as probes,
from {{ ref('published_probes') }}
group by round_number, source_model, doc_id
