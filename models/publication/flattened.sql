-- One row per published probe: `train`, rebuilt from `compact` alone.
{{ config(materialized='view') }}

with

listed as (

    select
        * exclude (probes),
        unnest(probes) as probe,
    from {{ ref('compact') }}

)

select
    doc,
    probe.scope,
    probe.verbalizer_prompt,
    case
        when probe.target = 'suffix' then left(doc, probe.split_char_offset)
        else substr(doc, probe.split_char_offset + 1)
    end as context,
    {{ text_between('doc', 'probe.atom_start', 'probe.atom_end') }} as atom_text,
    coalesce(probe.target_response, atom_text) as target_response,
    probe.incorrect_plausible_answer,
    probe.answers as bb_answer_rollout_answers,
    probe.scores as bb_answer_rollout_scores,
    {{ rounded('list_avg(probe.scores)') }} as bb_answer_score_mean,
    list_max(probe.scores) as bb_answer_score_max,
    list_min(probe.scores) as bb_answer_score_min,
    row_seed,
    doc_id,
    doc_source,
    doc_idx,
    probe.split_char_offset,
    row_splits,
    doc_choice_rationale,
    split_rationale,
    probe.slot_idx::double as slot_idx,
    probe.target,
    probe.typicality,
    abs(probe.signed_index)::double as abs_index,
    probe.signed_index::double as signed_index,
    probe.signed_index_hint::double as signed_index_hint,
    probe.actual_word_distance_from_split::double as actual_word_distance_from_split,
    probe.synergy_check,
    probe.distribution_check,
    probe.difficulty_check,
    probe.source,
    probe.n_tokens_actual::double as n_tokens_actual,
    case when probe.scope = 'lens' then tokenizer end as tokenizer,
    generator_model,
    source_model,
{%- for column in added_columns() %}
    probe.{{ column.name }},
{%- endfor %}
from listed
order by round_number, doc_id, probe.slot_idx
