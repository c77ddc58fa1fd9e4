"""Land a file of results, read line by line, in one transaction."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow

from latent_probes.common import limits
from latent_probes.landing.opening import one, transaction

LINES_AT_ONCE = 256
# SQL that reads a ``line`` of results in the form of the Messages API.
MESSAGES_API = "read_messages_api(line)"
# An escaped character, or a surrogate pair; anything else that matches is a lone surrogate.
HIGH, LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPE = re.compile(rf"({HIGH}{LOW}|\\(?!u[dD][89a-fA-F]).)|{HIGH}|{LOW}")
LINES = pyarrow.schema(
    {
        "line_number": pyarrow.int64(),
        "line": pyarrow.large_string(),
        "is_text": pyarrow.bool_(),
    }
)


def stage_results(connection: duckdb.DuckDBPyConnection, results: Path | None) -> None:
    """Read a file of results into the temporary table ``staged``, one row per line, in order.

    A line is ``{"custom_id": …, "result": {"type": …, …}}``. For any other line, or invalid JSON,
    request_id is null. Empty lines are skipped. Without a file there are no lines.
    """
    with results.open("rb") if results else io.BytesIO() as file:
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
    """The non-empty lines of a file, in batches.

    Invalid UTF-8 is escaped: a download can be cut off inside a character. A byte order mark of the
    file is dropped. A line of more than ``LINE_BYTES`` is cut and not text.
    """
    rows: list[tuple[int, str, bool]] = []
    n_bytes = 0
    for line_number, raw in enumerate(bounded_lines(file), start=1):
        line = raw.rstrip(b"\r\n")
        if line_number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        if len(raw) > limits.LINE_BYTES:
            cut = line[: limits.LINE_SHOWN].decode(errors="backslashreplace")
            rows.append((line_number, f"{cut}…", False))
        else:
            try:
                rows.append((line_number, without_lone_surrogates(line.decode()), True))
            except UnicodeDecodeError:
                rows.append((line_number, line.decode(errors="backslashreplace"), False))
        n_bytes += len(rows[-1][1])
        if len(rows) == LINES_AT_ONCE or n_bytes > limits.LINE_BYTES:
            yield batch_of_lines(rows)
            rows, n_bytes = [], 0
    yield batch_of_lines(rows)


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of a longer one, only one byte more than ``LINE_BYTES``."""
    while line := file.readline(limits.LINE_BYTES + 1):
        yield line
        while len(line) > limits.LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(limits.LINE_BYTES + 1)


def batch_of_lines(rows: list[tuple[int, str, bool]]) -> pyarrow.RecordBatch:
    """Rows as columns."""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pyarrow.record_batch(
        [pyarrow.array(column, field.type) for column, field in zip(columns, LINES, strict=True)],
        LINES,
    )


def without_lone_surrogates(line: str) -> str:
    """A line of JSON without lone surrogates, which a database cannot store."""
    return ESCAPE.sub(lambda found: found[1] or r"\ufffd", line) if r"\u" in line else line


def staged_counts(connection: duckdb.DuckDBPyConnection, batch_id: str) -> dict[str, int]:
    """Number of lines in ``staged`` by outcome.

    ``stray``: lines that match no attempt of the batch, or one that is already answered.
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


def results_are_foreign(connection: duckdb.DuckDBPyConnection, batch_id: str) -> bool:
    """Whether ``staged`` contains results, but none of this batch.

    Truncated or unreadable results are not evidence either way.
    """
    (is_foreign,) = one(
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


def add_responses(connection: duckdb.DuckDBPyConnection, batch_id: str, message_sql: str) -> None:
    """Land the ``staged`` results of a batch and close the batch, all or nothing.

    An attempt without a result lands as missing, so it can be asked again. A line that matches no
    attempt of the batch is kept as a stray. ``message_sql`` reads a ``line`` of results: a struct
    with text, stop_reason, model and usage, as the table has them.
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
            f"""
            insert into responses by name
            select
                requests.request_id,
                requests.attempt,
                coalesce(firsts.outcome, 'missing') as outcome,
                firsts.line as body,
                now() at time zone 'utc' as landed_at,
                firsts.message.text,
                firsts.message.stop_reason,
                firsts.message.model,
                firsts.message.usage,
            from requests
            left join (
                select request_id, attempt, outcome, line, {message_sql} as message
                from staged
                where request_id is not null
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
