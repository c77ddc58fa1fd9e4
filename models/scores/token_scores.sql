-- One row per local model, form and probe in its current version: the log-probabilities (nats) of its atom,
-- of its wrong answer and of its resampled text, and how far the model's greedy answer is the atom.
with

-- A model that was run again with other weights or another template counts once.
current_readers as (

    select
        model,
        dtype,
        arg_max(reader_hash, (landed_at, reader_hash)) as reader_hash,
    from {{ ref('stg_readers') }}
    group by model, dtype

),

read as (

    select
        readers.model,
        readers.dtype,
        scores.*,
        inputs.round_number,
        inputs.compared_with,
        probes.scope,
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }}
            as atom_text,
    from {{ ref('stg_local_scores') }} as scores
    join current_readers as readers using (reader_hash)
    join {{ ref('reader_inputs') }} as inputs using (probe_id, form, input_hash)
    join {{ ref('probes') }} as probes on scores.probe_id = probes.probe_id
    join {{ ref('documents') }} as documents using (document_id)

),

-- A word without a letter or digit is compared as it is.
answered as (

    select
        read.*,
        {{ word_text('read.atom_text') }} as word,
        {{ word_text(first_line('read.answer')) }} as answered_word,
        case
            when read.scope = 'lens' then lens_answers.is_exact_match
            when word = '' then trim(read.answer) = trim(read.atom_text)
            else answered_word = word
        end as is_exact_match,
        case
            when read.scope = 'lens' then null
            when word = '' then starts_with(trim(read.answer), trim(read.atom_text))
            else starts_with(answered_word || ' ', word || ' ')
        end as starts_with_atom,
        lens_answers.n_tokens as n_lens_tokens,
        lens_answers.n_common_tokens,
        lens_answers.common_share,
    from read
    left join {{ ref('lens_answers') }} as lens_answers using (probe_id, answer)
    where read.compared_with = 'wrong_answer'

),

-- In these readings, the other text is the resampled one.
resampled as (

    select
        reader_hash,
        form,
        probe_id,
        len(wrong_answer_logprobs) as n_resampled_tokens,
        list_sum(wrong_answer_logprobs) as resampled_logprob,
        resampled_logprob / n_resampled_tokens as resampled_logprob_per_token,
    from read
    where compared_with = 'resampled_text'

)

select
    model,
    dtype,
    reader_hash,
    form,
    probe_id,
    round_number,
    n_shown_tokens,
    was_cut,
    len(atom_logprobs) as n_atom_tokens,
    list_sum(atom_logprobs) as atom_logprob,
    atom_logprob / n_atom_tokens as atom_logprob_per_token,
    len(wrong_answer_logprobs) as n_wrong_answer_tokens,
    list_sum(wrong_answer_logprobs) as wrong_answer_logprob,
    wrong_answer_logprob / n_wrong_answer_tokens as wrong_answer_logprob_per_token,
    answer,
    is_exact_match,
    starts_with_atom,
    n_lens_tokens,
    n_common_tokens,
    common_share,
    n_resampled_tokens,
    resampled_logprob,
    resampled_logprob_per_token,
from answered
left join resampled using (reader_hash, form, probe_id)
order by model, dtype, form, round_number, probe_id
