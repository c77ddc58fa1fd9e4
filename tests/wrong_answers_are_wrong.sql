-- The incorrect plausible answer is not the atom, and no continuation that landed before the round started
-- contains it after the shared beginning; but a word can occur far from the atom's place, and a lens of fewer
-- than four tokens anywhere.
with

answers as (

    select
        probes.*,
        documents.prefix_length,
        documents.text_length,
        trim(lower(probes.incorrect_plausible_answer), e' \t\r\n') as wrong_answer,
        {{ max_shift('documents.text_length', 'settings.position_tolerance') }} as farthest,
        greatest(probes.atom_start - farthest - documents.prefix_length, 0) as near_start,
        greatest(probes.atom_end + farthest - documents.prefix_length, 0) as near_end,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('round_settings') }} as settings using (round_number)

)

select answers.probe_id
from answers
join {{ ref('published_probes') }} as published using (probe_id)
where answers.wrong_answer = trim(lower(published.atom_text), e' \t\r\n')

union all

select probe_id
from (
    select
        answers.*,
        -- Of the document itself, what is kept.
        if(
            answers.document_id = rollouts.document_id,
            left(rollouts.continuation, answers.text_length - answers.prefix_length),
            rollouts.continuation
        ) as continuation,
    from answers
    join (
        select
            round_number,
            doc_id,
            other_document_id,
        from {{ ref('other_continuations') }}
        union all
        select
            round_number,
            doc_id,
            document_id,
        from {{ ref('chosen_documents') }}
    ) as landed
        on answers.round_number = landed.round_number and answers.doc_id = landed.doc_id
    join {{ ref('stg_rollouts') }} as rollouts on landed.other_document_id = rollouts.document_id
)
where
    (
        (is_written or n_tokens >= 4)
        and position(wrong_answer in lower(continuation)) > 0
    )
    or (
        scope = 'word'
        and list_contains(
            {{ words_of('substr(continuation, near_start + 1, near_end - near_start)') }},
            wrong_answer
        )
    )
