-- One row per local model, form and probe in its current version: the log-probabilities (nats) of its atom
-- and of its wrong answer, and whether the model's greedy answer is the atom.
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
        {{ text_between('documents.text', 'probes.atom_start', 'probes.atom_end') }}
            as atom_text,
    from {{ ref('stg_local_scores') }} as scores
    join current_readers as readers using (reader_hash)
    join {{ ref('reader_inputs') }} as inputs using (probe_id, form, input_hash)
    join {{ ref('probes') }} as probes on scores.probe_id = probes.probe_id
    join {{ ref('documents') }} as documents using (document_id)

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
    -- An atom without a letter or digit is compared as it is.
    case
        when {{ normalized_answer('atom_text') }} = '' then trim(answer) = trim(atom_text)
        else {{ normalized_answer('answer') }} = {{ normalized_answer('atom_text') }}
    end as is_exact_match,
    case
        when {{ normalized_answer('atom_text') }} = '' then starts_with(trim(answer), trim(atom_text))
        else
            starts_with(
                {{ normalized_answer('answer') }} || ' ', {{ normalized_answer('atom_text') }} || ' '
            )
    end as starts_with_atom,
from read
order by model, dtype, form, round_number, probe_id
