"""The tables of the landing file, and the version of their schema."""

VERSION = 12

TABLES = """
create table if not exists landing_version (version integer not null);

-- One row per source of rollouts. Kind: file, hub (a file of a data set on the Hub), sampler,
-- resampler (continues existing texts). A file has a row once all its rows have landed, a sampler
-- once its first batch has.
create table if not exists rollout_sources (
    -- SHA-256 of the file, or of the sampler's settings.
    source_hash varchar primary key,
    kind varchar not null,
    -- The file's name, its address on the Hub with the commit, or the model's name.
    name varchar not null,
    -- The sampler's settings. For a file, how its columns were mapped, if not by name; for one of
    -- the Hub, also the requested revision.
    details json,
    -- Rows of the file; a sampler has none.
    n_rows bigint,
    landed_at timestamp not null,
);

-- One row per continuation that a source model wrote.
create table if not exists rollouts (
    source_model varchar not null,
    doc_id varchar not null,
    continuation_idx bigint not null,
    doc_source varchar not null,
    prefix varchar not null,
    continuation varchar not null,
    sampling json not null,
    source_hash varchar not null,
    -- The token ids that the model read and wrote, if the sampler records them: tokenizing the
    -- joined text can give other tokens.
    prefix_tokens integer[],
    continuation_tokens integer[],
    primary key (source_model, doc_id, continuation_idx),
);

-- One row per continuation that a source model resampled from a split of one of its texts.
create table if not exists resamples (
    source_model varchar not null,
    -- MD5 of the text up to the split.
    prefix_hash varchar not null,
    continuation_idx bigint not null,
    continuation varchar not null,
    sampling json not null,
    source_hash varchar not null,
    prefix_tokens integer[],
    continuation_tokens integer[],
    primary key (source_model, prefix_hash, continuation_idx),
);

-- One row per round whose first request was sent: its settings, frozen, among them vars of the
-- project.
create table if not exists started_rounds (
    round_number bigint primary key,
    n_docs bigint not null,
    seed bigint not null,
    source_model varchar not null,
    calibration_level bigint not null,
    n_answers bigint not null,
    generator_model varchar not null,
    answerer_model varchar not null,
    judge_model varchar not null,
    language varchar not null,
    tokenizer varchar not null,
    siblings_shown bigint not null,
    min_siblings bigint not null,
    typical_siblings bigint not null,
    min_sentences_beside_split bigint not null,
    max_neighbours bigint not null,
    position_tolerance double not null,
    complement_characters bigint not null,
    further_siblings bigint not null,
    further_characters bigint not null,
    min_atom_words bigint not null,
    started_at timestamp not null,
);

-- One row per document of a started round: its siblings in the order shown, and how many code
-- points of each continuation are kept, frozen. The same of the siblings shown for comparison, of
-- which fewer code points can be shown than are kept.
create table if not exists started_round_documents (
    round_number bigint not null,
    doc_id varchar not null,
    continuation_idxs bigint[] not null,
    kept_lengths bigint[] not null,
    further_idxs bigint[] not null,
    further_lengths bigint[] not null,
    further_kept_lengths bigint[],
    primary key (round_number, doc_id),
);

-- One row per batch for a provider; its id is the hash of its body file.
-- State: intended, submitted, landed, or released (certainly never accepted).
create table if not exists batches (
    batch_id varchar primary key,
    provider varchar not null,
    n_requests bigint not null,
    -- The newest batch that the provider listed before: a newer one might be this one.
    mark_id varchar,
    mark_created_at timestamp,
    -- Number of times it was sent and not refused.
    n_sends bigint not null,
    -- Found in the provider's list, because sending it got no reply.
    was_adopted boolean not null,
    provider_batch_id varchar,
    state varchar not null,
    intended_at timestamp not null,
    submitted_at timestamp,
    landed_at timestamp,
);

-- One row per batch of the provider's list that was mistaken for ours; its results are not used.
-- Reason: surplus (a second copy, canceled), foreign (its results are not ours).
create table if not exists disowned_batches (
    provider_batch_id varchar primary key,
    batch_id varchar not null,
    reason varchar not null,
    disowned_at timestamp not null,
);

-- One row per attempt at a request, written before anything is sent.
create table if not exists requests (
    request_id varchar not null,
    attempt bigint not null,
    batch_id varchar not null,
    stage varchar not null,
    round_number bigint not null,
    model varchar not null,
    prompt_hash varchar not null,
    input_hash varchar not null,
    -- Hash of all that the prompt shows, whatever its wording; null for what was sent before
    -- version 8.
    shown_hash varchar,
    unit_map json,
    -- The request's settings besides the prompt: limits of answer and thinking tokens, and whether
    -- a schema is enforced.
    settings json,
    primary key (request_id, attempt),
);

-- One row per request, model and wording of the prompt whose tokens were counted before sending.
create table if not exists token_counts (
    request_id varchar not null,
    model varchar not null,
    prompt_hash varchar not null,
    input_tokens bigint not null,
    counted_at timestamp not null,
    primary key (request_id, model, prompt_hash),
);

-- One row per attempt that ended: succeeded, errored, expired, canceled, whatever else the
-- provider says, or missing: not in the provider's results. The body is the unchanged result
-- line.
create table if not exists responses (
    request_id varchar not null,
    attempt bigint not null,
    outcome varchar not null,
    body json,
    landed_at timestamp not null,
    -- The message in the body, as the provider read it; null if the provider does not state it, and
    -- in rows that landed before version 6.
    text varchar,
    stop_reason varchar,
    model varchar,
    usage struct(
        input_tokens bigint,
        output_tokens bigint,
        cache_write_five_minutes_tokens bigint,
        cache_write_one_hour_tokens bigint,
        cache_read_tokens bigint
    ),
    primary key (request_id, attempt),
);

-- The message in a line of results in the form of Anthropic's Messages API, with text, stop_reason,
-- model and usage. Usage is null if a number of tokens in it is not a whole number, or not the sum
-- of its parts. Providers of that form land its columns; rows from before version 6 are read by it
-- afterwards.
create or replace macro read_messages_api(line) as list_transform(
    [
        from_json(
            line,
            '{"result": {"message": {
                "model": "VARCHAR",
                "stop_reason": "VARCHAR",
                "content": [{"type": "VARCHAR", "text": "VARCHAR"}],
                "usage": "JSON"
            }}}'
        ).result.message
    ],
    lambda message: {
        'text': array_to_string(
            list_transform(
                list_filter(message.content, lambda block: block.type = 'text'),
                lambda block: block.text
            ),
            ''
        ),
        'stop_reason': message.stop_reason,
        'model': message.model,
        'usage': list_transform(
            [
                list_transform(
                    json_extract(
                        message.usage,
                        [
                            '$.input_tokens',
                            '$.output_tokens',
                            '$.cache_creation_input_tokens',
                            '$.cache_read_input_tokens',
                            '$.cache_creation.ephemeral_5m_input_tokens',
                            '$.cache_creation.ephemeral_1h_input_tokens'
                        ]
                    ),
                    -- What is missing is null, and what is no whole number is -1. A cast would read
                    -- true as 1 and 5.7 as 6.
                    lambda number: case
                        when coalesce(json_type(number), 'NULL') = 'NULL' then null
                        when
                            json_type(number)
                            in ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')
                            and number::double between 0 and 1e9
                            and number::double % 1 = 0
                            then number::double::bigint
                        else -1
                    end
                )
            ],
            lambda tokens: case
                when
                    json_type(message.usage) = 'OBJECT'
                    and coalesce(json_type(message.usage, '$.cache_creation'), 'NULL')
                    in ('NULL', 'OBJECT')
                    and not list_contains(tokens, -1)
                    -- A breakdown that is not of the total says nothing.
                    and coalesce(tokens[3] = tokens[5] + coalesce(tokens[6], 0), true)
                    then {
                        'input_tokens': tokens[1],
                        'output_tokens': tokens[2],
                        -- Without a breakdown, all that was written is for five minutes.
                        'cache_write_five_minutes_tokens':
                            coalesce(tokens[5], tokens[3] - coalesce(tokens[6], 0)),
                        'cache_write_one_hour_tokens': tokens[6],
                        'cache_read_tokens': tokens[4]
                    }
            end
        )[1]
    }
)[1];

-- One row per result line that matches no attempt of its batch: unreadable, unknown or repeated.
create table if not exists stray_results (
    batch_id varchar not null,
    reason varchar not null,
    line varchar not null,
);

-- One row per document that is reserved for a calibration: no round draws it.
create table if not exists calibration_documents (
    source_model varchar not null,
    doc_id varchar not null,
    primary key (source_model, doc_id),
);

-- One row per level of a calibration, which is a round in a separate home directory.
create table if not exists calibration_rounds (
    round_number bigint primary key,
    seed bigint not null,
    source_model varchar not null,
    calibration_level bigint not null unique,
    n_answers bigint not null,
    generator_model varchar not null,
    answerer_model varchar not null,
    judge_model varchar not null,
    stated_at timestamp not null,
);

-- One row per answer and human rater. The hash is that of the answer that was rated.
create table if not exists human_ratings (
    rater varchar not null,
    answer_request_id varchar not null,
    answer_hash varchar not null,
    score double not null,
    -- SHA-256 of the file.
    file_hash varchar not null,
    landed_at timestamp not null,
    primary key (rater, answer_request_id),
);

-- One row per mark that a human rater gave a probe, or changed; the newest one counts. The hash is
-- that of the question that was read. There is a mark, a note or both; neither if it was withdrawn.
create table if not exists probe_marks (
    rater varchar not null,
    probe_id varchar not null,
    revision bigint not null,
    question_hash varchar not null,
    mark varchar,
    note varchar,
    -- SHA-256 of the file.
    file_hash varchar not null,
    landed_at timestamp not null,
    primary key (rater, probe_id, revision),
);

-- One row per answer of an evaluated method to a probe. The condition states what it was given;
-- the log-probabilities are of the atom and of the wrong answer, if it reports them.
create table if not exists oracle_answers (
    oracle varchar not null,
    condition varchar not null,
    probe_id varchar not null,
    answer_number bigint not null,
    answer varchar not null,
    answer_hash varchar not null,
    logp_atom double,
    logp_ipa double,
    -- Identifies the published probes that the method answered.
    build varchar not null,
    -- SHA-256 of the file.
    file_hash varchar not null,
    landed_at timestamp not null,
    primary key (oracle, condition, probe_id, answer_number),
);

-- One row per method and condition that `ask-oracle` asks, written before its first answers.
create table if not exists oracle_runs (
    oracle varchar not null,
    condition varchar not null,
    -- SHA-256 of the settings; `file_hash` of its answers.
    settings_hash varchar not null,
    -- Everything that determines an answer: model, adapter with its hash, layers, positions, …
    settings json not null,
    -- Affects only the last bits: device, batch size, versions.
    environment json not null,
    landed_at timestamp not null,
    primary key (oracle, condition),
);

-- One row per probe that the logit lens has read under a condition, and layer (0 is the output of
-- the first block): of the first tokens of the atom and of the wrong answer, the rank among all
-- tokens, 1-based, and the log-probability.
create table if not exists oracle_token_ranks (
    oracle varchar not null,
    condition varchar not null,
    probe_id varchar not null,
    layer bigint not null,
    atom_rank bigint not null,
    atom_logprob double not null,
    wrong_answer_rank bigint not null,
    wrong_answer_logprob double not null,
    primary key (oracle, condition, probe_id, layer),
);

-- One row per local model that scored probes, with its settings.
create table if not exists readers (
    -- SHA-256 of the settings.
    reader_hash varchar primary key,
    model varchar not null,
    model_revision varchar,
    tokenizer varchar not null,
    dtype varchar not null,
    template_hash varchar not null,
    settings json not null,
    landed_at timestamp not null,
);

-- One row per probe (at that time), form and local model: the log-probability of each token of the
-- atom and of the wrong answer, and the model's own answer.
create table if not exists local_scores (
    reader_hash varchar not null,
    probe_id varchar not null,
    form varchar not null,
    -- Of all texts of the probe, so it changes if one is edited.
    input_hash varchar not null,
    n_shown_tokens bigint not null,
    was_cut boolean not null,
    atom_tokens integer[] not null,
    atom_logprobs double[] not null,
    wrong_answer_tokens integer[] not null,
    wrong_answer_logprobs double[] not null,
    answer_tokens integer[],
    answer varchar,
    -- Affects only the last bits: device, batch size, versions.
    environment json not null,
    landed_at timestamp not null,
    primary key (reader_hash, probe_id, form, input_hash),
);

-- One row per request that is open or succeeded: its key is the guard against paying twice.
create table if not exists claims (
    request_id varchar primary key,
    attempt bigint not null,
);

-- One row if this home was made from a published data set, which then is its only source of probes.
create table if not exists adopted_sets (
    -- SHA-256 of its manifest.json, and the manifest itself.
    manifest_sha256 varchar primary key,
    manifest json not null,
    -- The folder, or its address on the Hub with the commit.
    name varchar not null,
    -- Identifies the published probes.
    build varchar not null,
    landed_at timestamp not null,
);

-- The rows of its files, as published. The tables have the names of its configs.
create table if not exists adopted_rounds (
    round_number bigint not null,
    state varchar not null,
    source_model varchar not null,
    seed bigint not null,
    n_documents_wanted bigint not null,
    n_documents bigint not null,
    n_probed_documents bigint not null,
    n_probes bigint not null,
    calibration_level bigint not null,
    n_answers bigint not null,
    generator_model varchar not null,
    answerer_model varchar not null,
    judge_model varchar not null,
    language varchar not null,
    tokenizer varchar not null,
    siblings_shown bigint not null,
    min_siblings bigint not null,
    typical_siblings bigint not null,
    min_sentences_beside_split bigint not null,
    max_neighbours bigint not null,
    position_tolerance double not null,
    complement_characters bigint not null,
    further_siblings bigint not null,
    further_characters bigint not null,
    min_atom_words bigint not null,
    tokenizer_version varchar,
);

create table if not exists adopted_compact (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    doc_source varchar not null,
    doc_idx bigint not null,
    doc varchar not null,
    row_seed bigint not null,
    row_splits struct(word_lens bigint, sentence bigint, paragraph bigint, whole bigint) not null,
    generator_model varchar not null,
    doc_choice_rationale varchar,
    split_rationale varchar,
    tokenizer varchar,
    probes struct(
        probe_id varchar,
        slot_idx bigint,
        scope varchar,
        target varchar,
        split_char_offset bigint,
        atom_start bigint,
        atom_end bigint,
        verbalizer_prompt varchar,
        target_response varchar,
        incorrect_plausible_answer varchar,
        answers varchar[],
        scores double[],
        typicality varchar,
        signed_index bigint,
        signed_index_hint bigint,
        actual_word_distance_from_split bigint,
        n_tokens_actual bigint,
        synergy_check varchar,
        distribution_check varchar,
        difficulty_check varchar,
        source varchar,
        atom_origin varchar,
        is_nested boolean
    )[] not null,
);

create table if not exists adopted_siblings (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    doc_source varchar not null,
    prefix varchar not null,
    prefix_tokens integer[],
    continuations struct(
        continuation_idx bigint,
        is_further boolean,
        continuation varchar,
        tokens integer[],
        sampling varchar
    )[] not null,
);

create table if not exists adopted_rejections (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    slot_idx integer not null,
    scope varchar not null,
    rejection_reason varchar not null,
    meaning varchar,
    reason_declined varchar,
);

create table if not exists adopted_unscored (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    slot_idx integer not null,
    scope varchar not null,
    unscored_reason varchar not null,
);

create table if not exists adopted_control_answers (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    slot_idx integer not null,
    probe_id varchar not null,
    arm varchar not null,
    answerer_model varchar,
    answers varchar[] not null,
    scores double[] not null,
);

create table if not exists adopted_controls (
    round_number bigint not null,
    arm varchar not null,
    answerer_model varchar not null,
    share_requested double not null,
    n_probes bigint not null,
    n_asked bigint not null,
    n_scored bigint not null,
    share_scored double,
    n_answers bigint not null,
);

create table if not exists adopted_folds (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    cluster varchar not null,
    fold varchar not null,
);

create table if not exists adopted_text_readers (
    round_number bigint not null,
    source_model varchar not null,
    doc_id varchar not null,
    slot_idx integer not null,
    probe_id varchar not null,
    reader varchar not null,
    measure varchar not null,
    atom_value double not null,
    wrong_answer_value double not null,
);
"""


def added(table: str, *columns: tuple[str, str, str]) -> str:
    """Statements that add columns to a table: the name, type and value in existing rows of each."""
    return "".join(
        f"alter table {table} add column if not exists {name} {kind} default {value};"
        f"alter table {table} alter column {name} set not null;"
        f"alter table {table} alter column {name} drop default;"
        for name, kind, value in columns
    )


# Statements that upgrade a file of each version to the next one.
UPGRADES = {
    2: """
alter table rollouts rename file_hash to source_hash;
alter table rollouts add column prefix_tokens integer[];
alter table rollouts add column continuation_tokens integer[];

insert into rollout_sources
select file_hash, 'file', file_name, null, file_rows, landed_at
from landed_files;
drop table landed_files;

-- Texts were not cut before this version.
alter table started_round_documents add column kept_lengths bigint[];
update started_round_documents
set kept_lengths = (
    select list(length(rollouts.continuation) order by shown.position)
    from (
        select
            unnest(continuation_idxs) as continuation_idx,
            generate_subscripts(continuation_idxs, 1) as position,
    ) as shown
    join started_rounds on started_rounds.round_number = started_round_documents.round_number
    join rollouts
        on
            rollouts.source_model = started_rounds.source_model
            and rollouts.doc_id = started_round_documents.doc_id
            and rollouts.continuation_idx = shown.continuation_idx
);
alter table started_round_documents alter column kept_lengths set not null;
""",
    # The settings of earlier requests are unknown.
    3: "alter table requests add column if not exists settings json;",
    # Defaults of the vars that are frozen since version 5. DuckDB alters no table with an index
    # after an update.
    4: added(
        "started_rounds",
        ("language", "varchar", "'en'"),
        ("tokenizer", "varchar", "'Qwen/Qwen3-8B'"),
        ("siblings_shown", "bigint", "4"),
        ("min_siblings", "bigint", "3"),
        ("typical_siblings", "bigint", "3"),
        ("min_sentences_beside_split", "bigint", "3"),
        ("max_neighbours", "bigint", "12"),
        ("position_tolerance", "double", "0.25"),
        ("complement_characters", "bigint", "4000"),
    )
    + """
update started_rounds
set siblings_shown = listed.siblings_shown
from (
    select round_number, max(len(continuation_idxs)) as siblings_shown
    from started_round_documents
    group by round_number
) as listed
where started_rounds.round_number = listed.round_number;
""",
    # What landed before is read from its body by `read_messages_api`.
    5: """
alter table responses add column if not exists text varchar;
alter table responses add column if not exists stop_reason varchar;
alter table responses add column if not exists model varchar;
alter table responses add column if not exists usage struct(
    input_tokens bigint,
    output_tokens bigint,
    cache_write_five_minutes_tokens bigint,
    cache_write_one_hour_tokens bigint,
    cache_read_tokens bigint
);
""",
    # Only `read_messages_api` differs, which is replaced with the tables.
    6: "select 1",
    # Before, no siblings were shown for comparison alone, and an atom could have one word.
    7: added(
        "started_rounds",
        ("further_siblings", "bigint", "0"),
        ("further_characters", "bigint", "0"),
        ("min_atom_words", "bigint", "0"),
    )
    + added(
        "started_round_documents",
        ("further_idxs", "bigint[]", "[]"),
        ("further_lengths", "bigint[]", "[]"),
    )
    + "alter table requests add column if not exists shown_hash varchar;",
    # `read_messages_api` differs: before, it read what is no whole number as one, or as missing.
    8: """
update responses
set usage = read.usage
from (
    select request_id, attempt, read_messages_api(body).usage as usage
    from responses
    where usage is not null and body is not null
) as read
where
    responses.request_id = read.request_id
    and responses.attempt = read.attempt
    and responses.usage is distinct from read.usage;
""",
    # Before, only what was shown was known later.
    9: """
alter table started_round_documents add column if not exists further_kept_lengths bigint[];
update started_round_documents set further_kept_lengths = further_lengths;
""",
    # `probe_marks` is new.
    10: "",
    # Tables of an adopted data set are new.
    11: "",
}
