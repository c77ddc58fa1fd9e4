-- One row per sentence of a landed continuation: its evidence for a detached tail.
-- Incremental: a text is read once per method and rules.
{{
    config(
        materialized='incremental',
        unique_key='document_id',
        on_schema_change='fail',
        post_hook="delete from {{ this }} where (document_id, text_hash) not in (select (document_id, text_hash) from {{ ref('rollout_measures') }})",
    )
}}
{% set line_end = '[\\n\\r\\x0b\\x0c\\x{85}\\x{2028}\\x{2029}]' %}
{% set rules = [
    marker_pattern(), boilerplate_pattern(), question_pattern(), line_end,
    is_other_language('sentence'), is_finished('sentence'), is_prose('sentence', 'is_last'),
] | join | replace("'", "''") %}

with

measures as (

    select
        document_id,
        text_hash,
        method || ', rules ' || left(md5('{{ rules }}'), 16) as method,
        sentences,
    from {{ ref('rollout_measures') }}

),

unread as (

    select *
    from measures
    {% if is_incremental() %}
    anti join (select distinct document_id, text_hash, method from {{ this }}) as known
        using (document_id, text_hash, method)
    {% endif %}

),

placed as (

    select
        unread.*,
        {{ measured_part('rollouts.continuation') }} as continuation,
        list_transform(sentences, lambda x: x.starts_at) as starts,
        list_transform(sentences, lambda x: x.ends_at) as ends,
    from unread
    join {{ ref('stg_rollouts') }} as rollouts using (document_id)

),

read as (

    select
        document_id,
        text_hash,
        method,
        generate_subscripts(sentences, 1) as position,
        generate_subscripts(sentences, 1) = len(sentences) as is_last,
        unnest(sentences, recursive := true),
        unnest(text_parts(continuation, starts, ends)) as sentence,
        -- What precedes it.
        unnest(text_parts(continuation, list_slice(list_prepend(0, ends), 1, len(starts)), starts)) as gap,
    from placed

),

-- Of a sentence with a marker, the part before it is the document's.
parted as (

    select
        *,
        case
            when regexp_matches(sentence, '{{ marker_pattern() }}')
                then length(regexp_extract(sentence, '(?s)^(.*?)(?:{{ marker_pattern() }})', 1))
        end as marker_at,
        regexp_replace(left(sentence, coalesce(marker_at, length(sentence))), '[\s\p{Z}]+$', '') as own_part,
    from read

)

select
    document_id,
    text_hash,
    method,
    position,
    starts_at,
    ends_at,
    regexp_matches(gap, '{{ line_end }}') as starts_line,
    n_words,
    n_repeated_words,
    n_copied_words,
    n_long_words,
    n_known_long_words,
    marker_at,
    case when {{ is_finished('own_part') }} then starts_at + length(own_part) end as finished_at,
    {{ is_other_language('sentence') }} as is_other_language,
    regexp_matches(sentence, '{{ boilerplate_pattern() }}') as is_boilerplate,
    regexp_matches(sentence, '{{ question_pattern() }}') as is_question,
    {{ is_prose('sentence', 'is_last') }} as is_prose,
from parted
order by document_id, position
