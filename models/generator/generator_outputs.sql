-- One row per generator request: its final answer as typed fields, or the rejection reason.
{% set schema = generator_schema() %}
{% set fields = schema.answer.keys() | list + schema.splits + schema.probe + schema.declined %}
with

states as (
    {{ request_states(ref('generator_requests')) }}
),

-- A stale answer is kept, and rejected as stale.
settled as (

    select
        requests.request_id,
        requests.round_number,
        requests.doc_id,
        requests.row_seed,
        states.state,
        responses.attempt,
        responses.model as generator_model,
        responses.problem,
        responses.text,
    from {{ ref('generator_requests') }} as requests
    join states using (request_id)
    left join {{ ref('responses') }} as responses
        on states.request_id = responses.request_id and states.attempt = responses.attempt

),

-- Materialized so that each answer is read and repaired once, not for each use of a column.
found as materialized (

    select
        * exclude (text),
        json_answer(text, [{{ quoted(schema.required) }}]) as answer,
    from settled

),

repaired_outputs as materialized (

    select
        * exclude (answer),
        answer['json'] as json_text,
        answer['is_ambiguous'] as is_ambiguous,
        json_valid(json_text) as is_strict,
        case
            when json_valid(json_text) then json_text
            else
                -- Only if it ended normally: the repair of a truncated answer is valid JSON but wrong.
                repair_json(case when problem is null and not json_valid(json_text) then json_text end)
        end as json,
    from found

),

typed as (

    select
        *,
        json is not null and not is_strict as was_repaired,
        try(from_json(json, '{{ tojson(schema.answer) }}')) as output,
        list_sort(json_keys(json)) as keys,
    from repaired_outputs

),

-- The ids of an answer are resolved only through the map that landed with its request.
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

repaired as (

    select
        request_id,
        json,
        unescaped(json_text) as raw_text,
        unescaped(json) as repaired_text,
    from typed
    where was_repaired

),

-- Checks that the repair by json-repair added, lost, moved and reinterpreted nothing.
compared as (

    select
        repaired.request_id,
        bool_or(
            case
                when nodes.key is null then false
                when nodes.key = 'probes' then nodes.type != 'OBJECT'
                when nodes.key = 'units' then nodes.type != 'ARRAY'
                -- A field that is missing has been swallowed by another.
                when nodes.key = 'splits' then len(json_keys(nodes.value)) != {{ schema.splits | length }}
                when nodes.key in ({{ quoted(schema.probes) }})
                    then
                        len(json_keys(nodes.value)) != {{ schema.probe | length }}
                        and json_keys(nodes.value) != [{{ quoted(schema.declined) }}]
                when
                    nodes.key in ({{ quoted(fields) }})
                    -- The key of a list item is its number.
                    or regexp_full_match(nodes.key, '\d+')
                    then nodes.type not in ('VARCHAR', 'NULL')
                else true
            end
        ) as is_off_schema,
        -- Except for white space, commas and brackets, the text is complete and in order.
        {{ without_separators('repaired.repaired_text') }}
        = {{ without_separators('repaired.raw_text') }}
        and bool_and(
            nodes.type != 'VARCHAR'
            or contains(repaired.raw_text, '"' || (nodes.atom ->> '$') || '"')
            -- A text that contains a field has swallowed it.
            and not regexp_matches(nodes.atom ->> '$', '"\w+"\s*:\s*(["\[{]|null)')
            -- An unpaired quote can be the end of a text; first words can cut a pair.
            and (
                nodes.key = 'first_words'
                or len(regexp_extract_all(nodes.atom ->> '$', '"')) % 2 = 0
            )
        ) as is_the_raw_text,
    from repaired
    cross join json_tree(repaired.json) as nodes
    group by repaired.request_id, repaired.raw_text, repaired.repaired_text

)

select
    mapped.* exclude (json, json_text, is_strict, is_ambiguous, keys, problem),
    case
        when mapped.state = 'failed' then 'generation_failed'
        when mapped.state = 'not_recorded' then 'not_recorded'
        when mapped.state = 'stale' then 'answer_stale'
        when mapped.state != 'answered' then null
        when mapped.problem = 'refused' then 'answer_refused'
        when mapped.problem is not null then 'answer_cut_off'
        when mapped.is_ambiguous then 'several_answers'
        when mapped.json is null then 'answer_not_json'
        when mapped.output.{{ schema.required | join(' is null or mapped.output.') }} is null
            then 'answer_violates_schema'
        when
            mapped.was_repaired
            and (
                mapped.keys != [{{ quoted(schema.answer | sort) }}]
                or compared.is_off_schema
            )
            then 'repaired_answer_violates_schema'
        when mapped.was_repaired and not compared.is_the_raw_text then 'repaired_text_differs'
        when mapped.chosen is null then 'unknown_document'
    end as rejection_reason,
from mapped
left join compared using (request_id)
order by mapped.round_number, mapped.doc_id
