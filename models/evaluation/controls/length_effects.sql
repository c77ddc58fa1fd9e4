-- One row per text and scope, and for all scopes together: Spearman's rank correlation of its length with
-- the score of an answer from the complement.
with

answers as (

    select
        probes.source_model,
        probes.doc_id,
        probes.scope,
        least(
            probes.complement_end - probes.complement_start, settings.complement_characters
        ) as complement,
        probes.atom_end - probes.atom_start as atom,
        length(probes.verbalizer_prompt) as question,
        answers.answer_length as answer,
        judgements.score,
    from {{ ref('answers') }} as answers
    join {{ ref('judgements') }} as judgements using (probe_id, answer_number)
    join {{ ref('probes') }} as probes using (probe_id)
    join {{ ref('round_settings') }} as settings
        on probes.round_number = settings.round_number
    where judgements.score is not null

),

lengths as (

    select
        source_model,
        doc_id,
        unnest(['all', scope]) as scope,
        score,
        complement,
        atom,
        question,
        answer,
    from answers

),

named as (

    select
        source_model,
        doc_id,
        scope,
        score,
        unnest(['complement', 'atom', 'question', 'answer']) as text,
        unnest([complement, atom, question, answer]) as length,
    from lengths

),

-- Mid-ranks for equal values.
ranked as (

    select
        source_model,
        doc_id,
        scope,
        text,
        rank() over by_length + (count(*) over (partition by text, scope, length) - 1) / 2
            as length_rank,
        rank() over by_score + (count(*) over (partition by text, scope, score) - 1) / 2
            as score_rank,
    from named
    window
        by_length as (partition by text, scope order by length),
        by_score as (partition by text, scope order by score)

),

by_document as (

    select
        text,
        scope,
        source_model,
        doc_id,
        count(*)::double as n_answers,
        sum(length_rank) as sum_of_lengths,
        sum(score_rank) as sum_of_scores,
        sum(length_rank * score_rank) as sum_of_products,
        sum(length_rank ** 2) as sum_of_squared_lengths,
        sum(score_rank ** 2) as sum_of_squared_scores,
    from ranked
    group by text, scope, source_model, doc_id

),

summed as (

    select
        text,
        scope,
        sum(n_answers)::bigint as n_answers,
        count(*) as n_documents,
        {{ correlation_interval() }} as correlation,
    from by_document
    group by text, scope

)

select
    text,
    scope,
    n_answers,
    n_documents,
    {{ rounded('correlation.estimate') }} as correlation,
    {{ rounded_end('correlation.low') }} as correlation_low,
    {{ rounded_end('correlation.high') }} as correlation_high,
from summed
order by text, scope
