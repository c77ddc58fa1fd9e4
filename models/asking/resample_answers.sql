-- One row per suffix probe of a word or lens and resampled continuation of its split: the answer to the
-- question there, if the probe could have been made of it, and whether it scores as the probe's.
with

-- Counted as in documents. What continues the last word before the split is not the first word after it.
counted as (

    select
        source_model,
        prefix_hash,
        continuation_idx,
        tokenizer,
        list_filter(text_words('x' || continuation), lambda x: x.starts_at > 0) as words,
        token_spans(continuation, tokenizer, {{ tokenizer_files('tokenizer') }}) as tokens,
    from (
        select distinct source_model, prefix_hash, continuation_idx, continuation, tokenizer
        from {{ ref('resampled_probes') }}
        where not is_written
    ) as continuations

),

found as (

    select
        resampled.*,
        counted.words[resampled.n].word as word,
        {{ text_between(
            "'x' || resampled.continuation",
            'counted.words[resampled.n].starts_at',
            'counted.words[resampled.n].ends_at',
        ) }} as word_written,
        -- If more follows, the word is complete.
        resampled.was_stopped
        and counted.words[resampled.n].ends_at > length(resampled.continuation) as is_cut,
        counted.tokens[resampled.n].ends_at as lens_end,
        coalesce(counted.tokens[resampled.n + 1].starts_at, lens_end) = lens_end as ends_cleanly,
        left(resampled.continuation, lens_end) as lens,
    from {{ ref('resampled_probes') }} as resampled
    join counted using (source_model, prefix_hash, continuation_idx, tokenizer)
    where not resampled.is_written

)

select
    found.round_number,
    found.probe_id,
    found.continuation_idx,
    case
        -- No split is before anything else.
        when not regexp_matches(found.continuation, '^[\s\p{Z}]') then null
        when found.scope = 'lens'
            then if(found.ends_cleanly, {{ text_or_null('found.lens') }}, null)
        when
            not found.is_cut
            and stop_words.word is null
            and {{ can_be_content('found.word') }}
            and not list_contains({{ words_of('templates.template') }}, found.word)
            then found.word_written
    end as answer,
    -- As answers are scored: quotation marks around a lens are those of the answer.
    case
        when found.scope = 'lens'
            then
                {{ unquoted(lens_text('answer'), "''") }}
                = {{ unquoted(lens_text('found.atom_text'), "''") }}
        else {{ word_text('answer') }} = {{ word_text('found.atom_text') }}
    end as is_same,
from found
left join {{ ref('stop_words') }} as stop_words on found.word = stop_words.word
left join {{ ref('verbalizer_templates') }} as templates
    on found.scope = templates.scope and templates.target = 'suffix'
order by found.round_number, found.probe_id, found.continuation_idx
