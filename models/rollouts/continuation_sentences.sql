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
    is_other_language('sentence'), is_prose('sentence', 'is_last'),
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

sentences as (

    select
        document_id,
        text_hash,
        method,
        generate_subscripts(sentences, 1) as position,
        generate_subscripts(sentences, 1) = len(sentences) as is_last,
        unnest(sentences, recursive := true),
    from unread

),

placed as (

    select
        *,
        coalesce(lag(ends_at) over (partition by document_id order by position), 0)
            as previous_ends_at,
    from sentences

),

read as (

    select
        placed.*,
        {{ text_between('rollouts.continuation', 'starts_at', 'ends_at') }} as sentence,
        {{ text_between('rollouts.continuation', 'previous_ends_at', 'starts_at') }} as gap,
    from placed
    join {{ ref('stg_rollouts') }} as rollouts using (document_id)

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
    case
        when regexp_matches(sentence, '{{ marker_pattern() }}')
            then length(regexp_extract(sentence, '(?s)^(.*?)(?:{{ marker_pattern() }})', 1))
    end as marker_at,
    {{ is_other_language('sentence') }} as is_other_language,
    regexp_matches(sentence, '{{ boilerplate_pattern() }}') as is_boilerplate,
    regexp_matches(sentence, '{{ question_pattern() }}') as is_question,
    {{ is_prose('sentence', 'is_last') }} as is_prose,
from read
order by document_id, position
