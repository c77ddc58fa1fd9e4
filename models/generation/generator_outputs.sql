-- One row per generator request: the settled answer as typed fields, or why there is none.
with

states as (
    {{ request_states(ref('generator_requests')) }}
),

-- A stale answer is kept and shown as such.
settled as (

    select
        requests.request_id,
        requests.round_number,
        requests.doc_id,
        requests.row_seed,
        states.state,
        responses.attempt,
        responses.model as generator_model,
        responses.stop_reason,
        -- The whole text, or what stands in its code fence, or from its first to its last brace.
        case
            when json_valid(responses.text) then responses.text
            when json_valid(regexp_extract(responses.text, '(?s)```(?:json)?\s*(\{.*?\})\s*```', 1))
                then regexp_extract(responses.text, '(?s)```(?:json)?\s*(\{.*?\})\s*```', 1)
            else regexp_extract(responses.text, '(?s)\{.*\}')
        end as json_text,
        regexp_extract(responses.text, '(?s)\{.*') as damaged_text,
    from {{ ref('generator_requests') }} as requests
    join states using (request_id)
    left join {{ ref('responses') }} as responses
        on states.request_id = responses.request_id and states.attempt = responses.attempt

),

mended as (

    select
        *,
        json_valid(json_text) as is_strict,
        case
            when json_valid(json_text) then json_text
            else
                -- Only what ended normally: a cut-off answer would come back wrong but valid.
                repair_json(
                    case
                        when stop_reason = 'end_turn' and not json_valid(json_text)
                            then nullif(damaged_text, '')
                    end
                )
        end as json,
    from settled

),

typed as (

    select
        * exclude (json_text, damaged_text),
        json is not null and not is_strict as was_repaired,
        try(
            from_json(
                json,
                '{
                    "document": "VARCHAR",
                    "document_rationale": "VARCHAR",
                    "splits": "MAP(VARCHAR, VARCHAR)",
                    "split_rationale": "VARCHAR",
                    "probes": "MAP(VARCHAR, STRUCT(target VARCHAR, units VARCHAR[], first_words VARCHAR, typicality VARCHAR, verbalizer_prompt VARCHAR, target_response VARCHAR, incorrect_plausible_answer VARCHAR, synergy_check VARCHAR, distribution_check VARCHAR, difficulty_check VARCHAR))"
                }'
            )
        ) as output,
        list_sort(json_keys(json)) as keys,
    from mended

),

-- The ids of an answer are resolved through the map that landed with its request, and no other.
mapped as (

    select
        typed.*,
        list_filter(
            from_json(
                requests.unit_map,
                '[{
                    "label": "VARCHAR",
                    "document_id": "VARCHAR",
                    "continuation_idx": "BIGINT",
                    "text_hash": "VARCHAR",
                    "sentences": [{"starts_at": "INTEGER", "ends_at": "INTEGER"}],
                    "paragraphs": [{"starts_at": "INTEGER", "ends_at": "INTEGER"}]
                }]'
            ),
            lambda shown: shown.label = typed.output.document
        )[1] as chosen,
    from typed
    left join {{ ref('stg_requests') }} as requests
        on typed.request_id = requests.request_id and typed.attempt = requests.attempt

),

fields as (

    select
        request_id,
        max(length(field)) as longest_field,
        bool_or(
            len(list_filter(json_keys(probe), lambda key: key not in (
                'target', 'units', 'first_words', 'typicality', 'verbalizer_prompt',
                'target_response', 'incorrect_plausible_answer', 'synergy_check',
                'distribution_check', 'difficulty_check'
            ))) > 0
        ) as has_unknown_key,
    from (
        select
            request_id,
            unnest(json_extract(json, '$.probes.*')) as probe,
            unnest(json_extract_string(json, '$.probes.*.*')) as field,
        from typed
        where was_repaired and json_type(json, '$.probes') = 'OBJECT'
    )
    group by request_id

)

select
    mapped.* exclude (json, is_strict, keys, stop_reason),
    case
        when mapped.state = 'failed' then 'generation_failed'
        when mapped.state = 'stale' then 'answer_stale'
        when mapped.state != 'answered' then null
        when mapped.stop_reason = 'max_tokens' then 'answer_cut_off'
        when mapped.stop_reason = 'refusal' then 'answer_refused'
        when mapped.json is null then 'answer_not_json'
        when
            mapped.output.document is null
            or mapped.output.splits is null
            or mapped.output.probes is null
            then 'answer_off_schema'
        when
            mapped.was_repaired
            and (
                mapped.keys != [
                    'document', 'document_rationale', 'probes', 'split_rationale', 'splits'
                ]
                or coalesce(fields.has_unknown_key, true)
                or coalesce(fields.longest_field > {{ var('longest_repaired_field') }}, true)
            )
            then 'repaired_answer_off_schema'
        when mapped.chosen is null then 'unknown_document'
    end as rejection_reason,
from mapped
left join fields using (request_id)
order by mapped.round_number, mapped.doc_id
