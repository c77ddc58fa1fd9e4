"""The landing file: what came from outside, as it came. The only DDL and the only writer.

Rows are added and never rewritten, but for the state of a batch and the claims that guard
against asking twice. Everything else is a model over these tables; the warehouse may be
deleted at any time, this file may not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow

VERSION = 2
LOCK_TIMEOUT_SECONDS = 60.0
LINES_AT_ONCE = 256
LINES = pyarrow.schema(
    {
        "line_number": pyarrow.int64(),
        "line": pyarrow.large_string(),
        "is_text": pyarrow.bool_(),
    }
)

TABLES = """
create table if not exists landing_version (version integer not null);

-- One row per file of rollouts that landed.
create table if not exists landed_files (
    file_hash varchar primary key,
    file_name varchar not null,
    file_rows bigint not null,
    rollouts_added bigint not null,
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
    file_hash varchar not null,
    primary key (source_model, doc_id, continuation_idx),
);

-- One row per round whose first request was sent: its settings, frozen.
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
    started_at timestamp not null,
);

-- One row per document of a started round: its siblings in the order shown, frozen.
create table if not exists started_round_documents (
    round_number bigint not null,
    doc_id varchar not null,
    continuation_idxs bigint[] not null,
    primary key (round_number, doc_id),
);

-- One row per batch meant for a provider, under the hash of its body file.
-- State: intended, submitted, landed, or released: certainly never taken.
create table if not exists batches (
    batch_id varchar primary key,
    provider varchar not null,
    n_requests bigint not null,
    -- The newest batch that the provider listed before: what is newer may be this one.
    mark_id varchar,
    mark_created_at timestamp,
    -- How often it was sent without hearing that it was refused.
    n_sends bigint not null,
    -- Found in the provider's list, instead of named in answer to our sending it.
    was_adopted boolean not null,
    provider_batch_id varchar,
    state varchar not null,
    intended_at timestamp not null,
    submitted_at timestamp,
    landed_at timestamp,
);

-- One row per batch of the provider's list that was taken for one of ours, and is not used.
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
    unit_map json,
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
-- provider says, or missing: the provider's results do not speak of it. The body is the line of
-- the results as it came.
create table if not exists responses (
    request_id varchar not null,
    attempt bigint not null,
    outcome varchar not null,
    body json,
    landed_at timestamp not null,
    primary key (request_id, attempt),
);

-- One row per line of results that is no response to an attempt of its batch: unreadable, not
-- asked, or repeated.
create table if not exists stray_results (
    batch_id varchar not null,
    reason varchar not null,
    line varchar not null,
);

-- One row per request that is open or succeeded: its key is the guard against paying twice.
create table if not exists claims (
    request_id varchar primary key,
    attempt bigint not null,
);
"""


@dataclass(frozen=True)
class Batch:
    """A batch on its way, as the landing file knows it."""

    batch_id: str
    provider: str
    n_requests: int
    mark_id: str | None
    mark_created_at: datetime | None
    n_sends: int
    was_adopted: bool
    provider_batch_id: str | None
    state: str
    submitted_at: datetime | None


class LandingError(Exception):
    """The landing file cannot be used; the message says why and what to do."""


def connect(path: Path, timeout_seconds: float = LOCK_TIMEOUT_SECONDS):
    """Open the landing file for writing, waiting while another process holds it.

    Raises LandingError if it is still held after ``timeout_seconds``, is not a DuckDB file,
    or was written by a newer version of latent-probes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection = duckdb.connect(str(path))
            break
        except duckdb.Error as error:
            if "could not set lock on file" not in str(error).lower():
                raise LandingError(f"{path} cannot be opened: {error}") from error
            if time.monotonic() > deadline:
                raise LandingError(
                    f"{path} is held by another process; end it and run again. {error}"
                ) from error
            time.sleep(0.1)
    try:
        create_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def create_tables(connection, path: Path) -> None:
    """Create what is missing; refuse a file of a newer version."""
    known = connection.execute(
        "select 1 from duckdb_tables() where table_name = 'landing_version'"
    ).fetchall()
    if not known:
        with transaction(connection):
            connection.execute(TABLES)
            connection.execute("insert into landing_version values (?)", [VERSION])
    (version,) = first(connection, "select max(version) from landing_version")
    if version != VERSION:
        raise LandingError(
            f"{path} has version {version}, this latent-probes reads version {VERSION}: "
            "install the version that wrote it"
        )


def prepare(path: Path) -> None:
    """Make sure that the landing file exists and that nobody holds it."""
    connect(path).close()


@contextmanager
def opened(path: Path):
    """A connection to the landing file that is closed at the end of the block."""
    connection = connect(path)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection):
    """All statements of the block, or none of them."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def first(connection, query: str, parameters=None):
    """The first row of a query, or None; reads the rest, as the connection asks."""
    rows = connection.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def add_rollouts(connection) -> int:
    """Land the rows of the table ``incoming`` whose keys are new; return how many."""
    with transaction(connection):
        (added,) = first(
            connection,
            """
            insert into rollouts
            select
                source_model, doc_id, continuation_idx, doc_source, prefix, continuation,
                sampling, file_hash,
            from incoming
            anti join rollouts using (source_model, doc_id, continuation_idx)
            qualify row_number() over (
                partition by source_model, doc_id, continuation_idx
                order by file_name, file_hash, row_number
            ) = 1
            order by file_name, file_hash, row_number
            """,
        )
        if added:
            connection.execute(
                """
                insert into landed_files
                select
                    incoming.file_hash,
                    min(file_name),
                    count(*),
                    (select count(*) from rollouts where file_hash = incoming.file_hash),
                    now() at time zone 'utc',
                from incoming
                group by incoming.file_hash
                order by incoming.file_hash
                on conflict do nothing
                """
            )
    return added


def intend(connection, batch: dict, warehouse: str) -> None:
    """Commit the intent to send a batch, with what it freezes, before anything is sent.

    ``batch`` has batch_id, provider, n_requests, mark_id and mark_created_at. The table
    ``intended`` holds its attempts, with a ``fault`` where one could not be encoded: that one
    is answered with the fault, the others are sent. ``warehouse`` is the name under which the
    warehouse is attached. Raises duckdb.ConstraintException, and leaves things as they were, if
    one of the requests is already open or answered.
    """
    with transaction(connection):
        # An answer that the warehouse found unusable hands its claim on; an open one never does.
        connection.execute(
            """
            update claims
            set attempt = intended.attempt
            from intended
            where
                intended.request_id = claims.request_id
                and intended.attempt > claims.attempt
                and intended.fault is null
                and exists (
                    from responses
                    where
                        responses.request_id = claims.request_id
                        and responses.attempt = claims.attempt
                )
            """
        )
        connection.execute(
            f"""
            insert into started_rounds
            select
                round_number, n_docs, seed, source_model, calibration_level, n_answers,
                generator_model, answerer_model, judge_model, now() at time zone 'utc',
            from {warehouse}.round_settings
            where
                round_number in (select round_number from intended)
                and round_number not in (select round_number from started_rounds)
            """
        )
        # More answers may be asked for later, fewer never: what was asked is kept.
        connection.execute(
            f"""
            update started_rounds
            set n_answers = settings.n_answers
            from {warehouse}.round_settings as settings
            where
                settings.round_number = started_rounds.round_number
                and settings.round_number in (select round_number from intended)
                and settings.n_answers > started_rounds.n_answers
            """
        )
        connection.execute(
            f"""
            insert into started_round_documents
            select round_number, doc_id, continuation_idxs
            from {warehouse}.round_documents
            where
                round_number in (select round_number from intended)
                and round_number not in (select round_number from started_round_documents)
            order by round_number, doc_id
            """
        )
        connection.execute(
            "insert into claims select request_id, attempt from intended "
            "anti join claims using (request_id, attempt) where fault is null"
        )
        connection.execute(
            """
            insert into requests
            select
                request_id, attempt, $batch_id, stage, round_number, model, prompt_hash,
                input_hash, unit_map,
            from intended
            """,
            {"batch_id": batch["batch_id"]},
        )
        connection.execute(
            """
            insert into responses
            select request_id, attempt, 'errored', fault, now() at time zone 'utc'
            from intended
            where fault is not null
            order by request_id
            """
        )
        connection.execute(
            """
            insert into batches
            values (
                $batch_id, $provider, $n_requests, $mark_id, $mark_created_at, 0, false, null,
                -- Nothing is sent of a batch in which nothing could be encoded.
                if($n_requests = 0, 'released', 'intended'), now() at time zone 'utc', null, null
            )
            """,
            batch,
        )
        unfreeze_rounds(connection)


def sending(connection, batch_id: str) -> None:
    """Record that a batch is about to be sent: from now on the provider may have it."""
    connection.execute("update batches set n_sends = n_sends + 1 where batch_id = ?", [batch_id])


def refused(connection, batch_id: str) -> None:
    """Record that the last sending of a batch was refused, so that it may be sent again."""
    connection.execute("update batches set n_sends = n_sends - 1 where batch_id = ?", [batch_id])


def submitted(
    connection, batch_id: str, provider_batch_id: str, *, was_adopted: bool = False
) -> None:
    """Record under which id the provider has a batch."""
    connection.execute(
        """
        update batches
        set
            state = 'submitted',
            provider_batch_id = $provider_batch_id,
            was_adopted = $was_adopted,
            submitted_at = now() at time zone 'utc'
        where batch_id = $batch_id and state = 'intended'
        """,
        {
            "batch_id": batch_id,
            "provider_batch_id": provider_batch_id,
            "was_adopted": was_adopted,
        },
    )


def disown(connection, batch_id: str, provider_batch_id: str, reason: str) -> None:
    """Record that a batch of the provider is not the one that we go by.

    A batch that went by it is intended again.
    """
    with transaction(connection):
        connection.execute(
            "insert into disowned_batches values (?, ?, ?, now() at time zone 'utc') "
            "on conflict do nothing",
            [provider_batch_id, batch_id, reason],
        )
        connection.execute(
            """
            update batches
            set
                state = 'intended', provider_batch_id = null, was_adopted = false,
                submitted_at = null
            where batch_id = ? and provider_batch_id = ?
            """,
            [batch_id, provider_batch_id],
        )


def release(connection, batch_id: str) -> None:
    """Give back the claims of a batch that was certainly never taken.

    A round of which nothing else was sent is no longer frozen.
    """
    with transaction(connection):
        connection.execute(
            """
            delete from claims using requests
            where
                claims.request_id = requests.request_id
                and claims.attempt = requests.attempt
                and requests.batch_id = ?
            """,
            [batch_id],
        )
        connection.execute("update batches set state = 'released' where batch_id = ?", [batch_id])
        unfreeze_rounds(connection)


def unfreeze_rounds(connection) -> None:
    """Forget the settings of rounds of which nothing was sent."""
    for table in ("started_rounds", "started_round_documents"):
        connection.execute(
            f"""
            delete from {table}
            where round_number not in (
                select round_number
                from requests
                join batches using (batch_id)
                where batches.state != 'released'
            )
            """
        )


def stage_results(connection, results: Path) -> None:
    """Read a file of results into the temporary table ``staged``: a row per line, in order.

    A line is ``{"custom_id": …, "result": {"type": …, …}}``. Where it is no such line, or no
    valid JSON, its request_id is null. A line without any text is none.
    """
    with results.open("rb") as file:
        connection.register(
            "lines", pyarrow.RecordBatchReader.from_batches(LINES, batches_of_lines(file))
        )
        connection.execute(
            """
            create or replace temp table staged as
            with named as (
                select
                    line_number,
                    line,
                    regexp_extract(
                        body ->> '$.custom_id', '^(.+)-([0-9]+)$', ['request_id', 'attempt']
                    ) as name,
                    body ->> '$.result.type' as outcome,
                from (
                    select *, case when is_text and json_valid(line) then line end as body
                    from lines
                )
            )
            select
                line_number,
                line,
                if(outcome is null, null, nullif(name.request_id, '')) as request_id,
                try_cast(name.attempt as bigint) as attempt,
                outcome,
            from named
            order by line_number
            """
        )
        connection.unregister("lines")


def batches_of_lines(file: BinaryIO) -> Iterator[pyarrow.RecordBatch]:
    """The lines of a file that hold anything, some at a time.

    Bytes that are no text are escaped: a download may be cut off inside a character.
    """
    rows: list[tuple[int, str, bool]] = []
    for line_number, raw in enumerate(file, start=1):
        line = raw.rstrip(b"\r\n")
        if not line.strip():
            continue
        try:
            rows.append((line_number, without_lone_surrogates(line.decode()), True))
        except UnicodeDecodeError:
            rows.append((line_number, line.decode(errors="backslashreplace"), False))
        if len(rows) == LINES_AT_ONCE:
            yield batch_of_lines(rows)
            rows = []
    yield batch_of_lines(rows)


def batch_of_lines(rows: list[tuple[int, str, bool]]) -> pyarrow.RecordBatch:
    """Rows as columns."""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pyarrow.record_batch(
        [pyarrow.array(column, field.type) for column, field in zip(columns, LINES, strict=True)],
        LINES,
    )


def without_lone_surrogates(line: str) -> str:
    """A line of JSON as it is, but for halves of characters, which no database can hold."""
    if "\\ud" not in line.lower():
        return line
    try:
        value = json.dumps(json.loads(line), ensure_ascii=False)
        value.encode()
    except ValueError as error:
        if isinstance(error, UnicodeEncodeError):
            return value.encode(errors="replace").decode()
    return line


def staged_counts(connection, batch_id: str) -> dict[str, int]:
    """How many lines of ``staged`` there are, by outcome.

    Under ``stray``: those that answer no attempt of the batch, or one that is answered already.
    """
    return dict(
        connection.execute(
            """
            select if(requests.batch_id is null, 'stray', outcome), count(*)
            from (
                select
                    *,
                    row_number() over (
                        partition by request_id, attempt order by line_number
                    ) = 1 as is_first,
                from staged
            ) as lines
            left join requests
                on
                    lines.request_id = requests.request_id
                    and lines.attempt = requests.attempt
                    and lines.is_first
                    and requests.batch_id = ?
            group by all
            """,
            [batch_id],
        ).fetchall()
    )


def staged_is_foreign(connection, batch_id: str) -> bool:
    """Whether ``staged`` holds results, and none of them is of the batch.

    Results that are cut off or unreadable say nothing of whose they are.
    """
    (is_foreign,) = first(
        connection,
        """
        select count(*) > 0 and bool_and(requests.request_id is null)
        from staged
        left join requests
            on
                staged.request_id = requests.request_id
                and staged.attempt = requests.attempt
                and requests.batch_id = ?
        where staged.outcome is not null
        """,
        [batch_id],
    )
    return bool(is_foreign)


def add_responses(connection, batch_id: str) -> None:
    """Land what is ``staged`` of a batch, and close the batch: all of it, or nothing.

    An attempt without a result is landed as missing, so that it can be asked again. A line that
    answers no attempt of the batch is kept as a stray.
    """
    with transaction(connection):
        connection.execute(
            """
            insert into stray_results
            select
                $batch_id,
                case
                    when staged.request_id is null then 'unreadable'
                    when requests.request_id is null then 'not asked'
                    else 'repeated'
                end as reason,
                staged.line,
            from staged
            left join requests
                on
                    staged.request_id = requests.request_id
                    and staged.attempt = requests.attempt
                    and requests.batch_id = $batch_id
            qualify
                reason != 'repeated'
                or row_number() over (
                    partition by staged.request_id, staged.attempt order by staged.line_number
                ) > 1
            order by staged.line_number
            """,
            {"batch_id": batch_id},
        )
        connection.execute(
            """
            insert into responses
            select
                requests.request_id,
                requests.attempt,
                coalesce(firsts.outcome, 'missing'),
                firsts.line,
                now() at time zone 'utc',
            from requests
            left join (
                from staged
                qualify
                    row_number() over (partition by request_id, attempt order by line_number) = 1
            ) as firsts using (request_id, attempt)
            where requests.batch_id = ?
            order by requests.request_id, requests.attempt
            -- What could not be encoded is answered already.
            on conflict do nothing
            """,
            [batch_id],
        )
        connection.execute(
            """
            delete from claims using responses
            where
                claims.request_id = responses.request_id
                and claims.attempt = responses.attempt
                and responses.outcome != 'succeeded'
            """
        )
        connection.execute(
            """
            update batches
            set state = 'landed', landed_at = now() at time zone 'utc'
            where batch_id = ?
            """,
            [batch_id],
        )


def add_token_counts(connection, counts: list[tuple[str, str, str, int]]) -> None:
    """Land what a provider counted: request_id, model, prompt_hash, input tokens."""
    with transaction(connection):
        connection.executemany(
            "insert or replace into token_counts values (?, ?, ?, ?, now() at time zone 'utc')",
            counts,
        )


def open_batches(connection) -> list[Batch]:
    """Batches that are intended or submitted, oldest first."""
    rows = connection.execute(
        """
        select
            batch_id, provider, n_requests, mark_id, mark_created_at, n_sends, was_adopted,
            provider_batch_id, state, submitted_at,
        from batches
        where state in ('intended', 'submitted')
        order by intended_at, batch_id
        """
    ).fetchall()
    return [Batch(*row) for row in rows]


def known_ids(connection) -> set[str]:
    """The ids of all batches of a provider's list that we know, used or disowned."""
    rows = connection.execute(
        """
        select provider_batch_id from batches where provider_batch_id is not null
        union
        select provider_batch_id from disowned_batches
        """
    ).fetchall()
    return {provider_batch_id for (provider_batch_id,) in rows}
