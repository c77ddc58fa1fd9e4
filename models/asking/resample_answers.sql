-- One row per suffix probe of a word or lens and resampled continuation of its split: the answer to the
-- question there, if the question could have been asked, and whether it scores as the probe's.
with

placed as (

    select
        probes.round_number,
        probes.probe_id,
        probes.scope,
        probes.signed_index as n,
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }} as atom_text,
        settings.tokenizer,
        resamples.source_model,
        resamples.prefix_hash,
        resamples.continuation_idx,
        resamples.continuation,
        resamples.sampling ->> 'finish_reason' = 'length' as was_stopped,
    from {{ ref('probes') }} as probes
    join {{ ref('round_settings') }} as settings using (round_number)
    join {{ ref('resample_splits') }} as splits using (document_id, split_offset)
    join {{ ref('documents') }} as documents using (document_id)
    join {{ ref('stg_resamples') }} as resamples
        on
            splits.source_model = resamples.source_model
            and splits.prefix_hash = resamples.prefix_hash
    where probes.target = 'suffix' and not probes.is_written

),

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
        select distinct source_model, prefix_hash, continuation_idx, continuation, tokenizer from placed
    ) as continuations

),

found as (

    select
        placed.*,
        counted.words[placed.n].word as word,
        -- If more follows, the word is complete.
        placed.was_stopped and counted.words[placed.n].ends_at > length(placed.continuation)
            as is_cut,
        left(placed.continuation, counted.tokens[placed.n].ends_at) as tokens_text,
    from placed
    join counted using (source_model, prefix_hash, continuation_idx, tokenizer)

)

select
    found.round_number,
    found.probe_id,
    found.continuation_idx,
    case
        when found.scope = 'lens' then found.tokens_text
        when
            not found.is_cut
            and stop_words.word is null
            and {{ can_be_content('found.word') }}
            and not list_contains({{ words_of('templates.template') }}, found.word)
            then found.word
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
