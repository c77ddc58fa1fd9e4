-- One row per method, condition and probe to answer: the method's score, and the text-only score from
-- answers that were not used to set the probe's band.
with

answered as (

    select
        answers.oracle,
        answers.condition,
        answers.probe_id,
        answers.answer_number,
        {{ contrast_accuracy('answers.logp_atom - answers.logp_ipa') }} as contrast_accuracy,
        {{ is_blank('answers.answer') }} as is_empty,
        {{ is_vague('answers.answer') }} as is_vague,
        case
            when {{ is_blank('answers.answer') }} then 0
            when probes.is_written then scores.score
            when probes.scope = 'lens' then lens_answers.is_exact_match::integer
            else
                (
                    {{ word_text(first_line('answers.answer')) }}
                    = {{ word_text('probes.target_response') }}
                )::integer
        end as score,
        lens_answers.n_common_tokens,
        lens_answers.common_share,
    from {{ ref('stg_oracle_answers') }} as answers
    join {{ ref('probes') }} as probes using (probe_id)
    left join {{ ref('lens_answers') }} as lens_answers
        on answers.probe_id = lens_answers.probe_id and answers.answer = lens_answers.answer
    left join {{ ref('judge_scores') }} as scores
        on
            answers.probe_id = scores.probe_id
            and answers.answer_hash = scores.oracle_answer_hash

),

by_probe as (

    select
        oracle,
        condition,
        probe_id,
        count(*) as n_answers,
        count(*) filter (where is_empty) as n_empty,
        count(*) filter (where is_vague) as n_vague,
        list(score order by answer_number) as scores,
        count(score) as n_scores,
        avg(n_common_tokens) as common_tokens,
        avg(common_share) as common_share,
        any_value(contrast_accuracy) as contrast_accuracy,
    from answered
    group by oracle, condition, probe_id

),

held_out as (

    select
        probe_id,
        scores,
    from {{ ref('arm_scores') }}
    where arm = 'held_out' and scores is not null

),

-- Omitted probes score 0, so that leaving out hard ones does not pay.
methods as (

    select
        questions.oracle,
        questions.condition,
        questions.probe_id,
        coalesce(by_probe.n_answers, 0) as n_answers,
        coalesce(by_probe.n_empty, 0) as n_empty,
        coalesce(by_probe.n_vague, 0) as n_vague,
        case
            when by_probe.n_answers is null then [0.0]
            when by_probe.n_scores = by_probe.n_answers then by_probe.scores
        end as scores,
        by_probe.common_tokens,
        by_probe.common_share,
        by_probe.contrast_accuracy,
    from {{ ref('oracle_questions') }} as questions
    left join by_probe using (oracle, condition, probe_id)
    union all by name
    -- The text-only baseline that all methods are compared with.
    select
        {{ text_only_answerer() }} as oracle,
        'no_state' as condition,
        probe_id,
        len(scores) as n_answers,
        0 as n_empty,
        0 as n_vague,
        scores,
        true as is_baseline,
    from held_out

)

select
    methods.oracle,
    methods.condition,
    methods.probe_id,
    probes.round_number,
    probes.source_model,
    probes.doc_id,
    probes.slot_idx,
    probes.scope,
    probes.is_written,
    probes.target,
    {{ typicality_group('probes') }} as typicality,
    probes.atom_origin,
    probes.is_nested,
    folds.fold,
    bins.band,
    methods.n_answers,
    methods.n_empty,
    methods.n_vague,
    methods.contrast_accuracy,
    if(methods.contrast_accuracy is not null, baselines.accuracy, null) as text_only_accuracy,
    case when probes.scope = 'lens' then {{ rounded('coalesce(methods.common_tokens, 0)') }} end
        as common_tokens,
    case when probes.scope = 'lens' then {{ rounded('coalesce(methods.common_share, 0)') }} end
        as common_share,
    {{ rounded('list_avg(methods.scores)') }} as score_mean,
    {{ rounded('len(list_filter(methods.scores, lambda x: x >= easy_threshold)) / len(methods.scores)') }}
        as easy_answer_share,
    -- Means of all answers: unlike maxima, they do not depend on the number.
    {{ rounded('list_avg(held_out.scores)') }} as held_out_mean,
    coalesce(methods.is_baseline, false) as is_baseline,
from methods
join {{ ref('probes') }} as probes using (probe_id)
cross join ({{ band_thresholds() }}) as borders
left join {{ ref('probe_scores') }} as published on methods.probe_id = published.probe_id
left join {{ ref('score_bins') }} as bins on {{ is_in_bin('published.score_max', 'bins') }}
left join {{ ref('contrast_baselines') }} as baselines on methods.probe_id = baselines.probe_id
left join held_out on methods.probe_id = held_out.probe_id
left join {{ ref('folds') }} as folds
    on probes.source_model = folds.source_model and probes.doc_id = folds.doc_id
order by methods.oracle, methods.condition, methods.probe_id
