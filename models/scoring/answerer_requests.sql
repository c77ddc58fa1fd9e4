-- One row per answerer request: each written probe is answered several times from its complement alone.
with

excerpts as (

    select
        probes.probe_id,
        probes.round_number,
        probes.verbalizer_prompt,
        documents.text_hash,
        probes.document_id,
        settings.answerer_model as model,
        settings.n_answers,
        probes.complement_end - probes.complement_start > {{ var('complement_characters') }}
            as complement_was_cut,
        -- The characters nearest the split.
        case
            when probes.target = 'suffix'
                then
                    greatest(
                        probes.complement_start,
                        probes.complement_end - {{ var('complement_characters') }}
                    )
            else probes.complement_start
        end as excerpt_start,
        case
            when probes.target = 'suffix' then probes.complement_end
            else
                least(
                    probes.complement_end,
                    probes.complement_start + {{ var('complement_characters') }}
                )
        end as excerpt_end,
    from {{ ref('probes') }} as probes
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('round_settings') }} as settings using (round_number)
    where probes.is_written

)

select
    'answerer-' || {{ identity([
        'excerpts.round_number',
        'excerpts.probe_id',
        "'complement'",
        "'answerer'",
        'numbers.answer_number',
        '1',
    ]) }} as request_id,
    'answerer' as stage,
    excerpts.round_number,
    excerpts.probe_id,
    'complement' as arm,
    numbers.answer_number,
    excerpts.document_id,
    excerpts.excerpt_start,
    excerpts.excerpt_end,
    excerpts.complement_was_cut,
    excerpts.model,
    {{ identity([
        'excerpts.text_hash',
        'excerpts.excerpt_start',
        'excerpts.excerpt_end',
        'excerpts.verbalizer_prompt',
    ]) }} as input_hash,
    excerpts.excerpt_end - excerpts.excerpt_start + length(excerpts.verbalizer_prompt)
        as input_characters,
from excerpts
cross join unnest(range(1, excerpts.n_answers + 1)) as numbers (answer_number)
order by excerpts.round_number, excerpts.probe_id, numbers.answer_number
