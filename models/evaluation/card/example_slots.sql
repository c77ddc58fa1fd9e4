-- One row per example: a HARD probe, an EASY probe, and a slot without a probe, if there is one of each.
with

-- Sentences are the easiest to read, and a short atom easier than a long one.
probes as (

    select
        upper(scored.band) as kind,
        scored.score_max,
        train.*,
    from {{ ref('scored_probes') }} as scored
    join {{ ref('train') }} as train using (source_model, doc_id, slot_idx)
    where scored.band in ('hard', 'easy')
    qualify
        row_number() over (
            partition by scored.band
            order by
                scored.scope != 'sentence',
                scored.target != 'suffix',
                if(scored.band = 'hard', scored.score_max, -scored.score_max),
                length(train.atom_text),
                scored.source_model,
                scored.doc_id,
                scored.slot_idx
        ) = 1

),

-- A slot whose reason was given in words, if there is one.
slots as (

    select *
    from {{ ref('rejections') }}
    order by reason_declined is null, scope in ('word', 'lens'), source_model, doc_id, slot_idx
    limit 1

)

select
    kind,
    source_model,
    doc_id,
    slot_idx::integer as slot_idx,
    scope,
    target,
    case
        when length(context) <= 200 then context
        when target = 'suffix' then '… ' || right(context, 200)
        else left(context, 200) || ' …'
    end as complement,
    verbalizer_prompt,
    atom_text,
    target_response,
    incorrect_plausible_answer,
    bb_answer_rollout_answers[list_position(bb_answer_rollout_scores, score_max)] as best_answer,
    bb_answer_rollout_scores as scores,
    score_max,
    null as rejection_reason,
    null as explanation,
from probes
union all by name
select
    'rejected' as kind,
    source_model,
    doc_id,
    slot_idx,
    scope,
    rejection_reason,
    coalesce(reason_declined, meaning) as explanation,
from slots
order by list_position(['HARD', 'EASY', 'rejected'], kind)
