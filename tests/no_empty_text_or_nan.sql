-- Missing values are null: never an empty text, never NaN.
select
    doc_id,
    slot_idx,
from {{ ref('train') }}
where
    {% for name in [
        'doc', 'scope', 'verbalizer_prompt', 'context', 'atom_text', 'target_response',
        'incorrect_plausible_answer', 'doc_id', 'doc_source', 'target', 'typicality',
        'doc_choice_rationale', 'split_rationale', 'synergy_check', 'distribution_check',
        'difficulty_check', 'source', 'tokenizer', 'generator_model', 'source_model',
    ] -%}
    {{ name }} = '' or
    {% endfor -%}
    list_contains(bb_answer_rollout_answers, '')
    {% for name in [
        'bb_answer_score_mean', 'bb_answer_score_max', 'bb_answer_score_min', 'slot_idx',
        'abs_index', 'signed_index', 'signed_index_hint', 'actual_word_distance_from_split',
        'n_tokens_actual',
    ] -%}
    or isnan({{ name }})
    {% endfor -%}
    or len(list_filter(bb_answer_rollout_scores, lambda x: isnan(x))) > 0
