-- One row per published probe: the columns of `train`, its round, and its spans.
-- A view over narrow tables: texts are cut out here and not stored twice. The joins use round and document,
-- so a query for some documents reads little else.
{{ config(materialized='view') }}

select
    probes.round_number,
    probes.probe_id,
    probes.atom_start,
    probes.atom_end,
    documents.text as doc,
    probes.scope,
    probes.verbalizer_prompt,
    {{ text_between('documents.text', 'probes.complement_start', 'probes.complement_end') }} as context,
    {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
    probes.target_response,
    probes.incorrect_plausible_answer,
    answer_texts.answers as bb_answer_rollout_answers,
    scores.scores as bb_answer_rollout_scores,
    scores.score_mean as bb_answer_score_mean,
    scores.score_max as bb_answer_score_max,
    scores.score_min as bb_answer_score_min,
    round_documents.row_seed,
    probes.doc_id,
    documents.doc_source,
    documents.continuation_idx as doc_idx,
    probes.split_offset::bigint as split_char_offset,
    described.row_splits,
    described.doc_choice_rationale,
    described.split_rationale,
    probes.slot_idx::double as slot_idx,
    probes.target,
    probes.typicality,
    abs(probes.signed_index)::double as abs_index,
    probes.signed_index::double as signed_index,
    probes.signed_index_asked::double as signed_index_hint,
    probes.n_words_to_atom::double as actual_word_distance_from_split,
    {{ text_or_null('probes.synergy_check') }} as synergy_check,
    case
        when probes.is_written or probes.distribution_check is not null
            then {{ text_or_null('probes.distribution_check') }}
        -- Exactly what `sibling_matches` counted.
        when probes.target = 'suffix'
            then
                format(
                    'In {} of {} other continuations, {} at most {} characters before or after {}{}.',
                    probes.siblings_matched,
                    probes.siblings_compared,
                    case
                        when probes.scope = 'word' then 'the word occurs'
                        when probes.n_tokens = 1 then 'the token occurs'
                        else
                            'at least '
                            || ceil(probes.n_tokens * {{ var('min_recurrence_overlap') }})::integer
                            || ' of the ' || probes.n_tokens || ' tokens recur'
                    end,
                    {{ max_shift('documents.text_length', 'settings.position_tolerance') }},
                    if(probes.scope = 'word', 'its place', 'the lens'),
                    case
                        when probes.n_tokens > 1
                            then ', in common runs of ' || least(probes.n_tokens, 3) || ' or more'
                        else ''
                    end
                )
    end as distribution_check,
    {{ text_or_null('probes.difficulty_check') }} as difficulty_check,
    case
        when probes.is_written then described.written_source
        else 'python_template'
    end as source,
    probes.n_tokens::double as n_tokens_actual,
    case when probes.scope = 'lens' then settings.tokenizer end as tokenizer,
    described.generator_model,
    probes.source_model,
    probes.atom_origin,
    probes.is_nested,
from {{ ref('probes') }} as probes
join {{ ref('documents') }} as documents
    on
        probes.source_model = documents.source_model
        and probes.doc_id = documents.doc_id
        and probes.document_id = documents.document_id
join {{ ref('round_documents') }} as round_documents
    on
        probes.round_number = round_documents.round_number
        and probes.doc_id = round_documents.doc_id
join {{ ref('described_documents') }} as described
    on probes.round_number = described.round_number and probes.doc_id = described.doc_id
join {{ ref('round_settings') }} as settings
    on probes.round_number = settings.round_number and not settings.is_calibration
left join {{ ref('probe_scores') }} as scores
    on probes.round_number = scores.round_number and probes.probe_id = scores.probe_id
left join {{ ref('answer_texts') }} as answer_texts
    on
        probes.round_number = answer_texts.round_number
        and probes.doc_id = answer_texts.doc_id
        and probes.slot_idx = answer_texts.slot_idx
        and answer_texts.arm = 'complement'
