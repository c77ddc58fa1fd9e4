"""Replays recorded responses: free, offline, and the same at every run.

A recording is a file of JSON lines, as `run --record` writes it, one per response, in the order of
attempts: request_id, input_hash, prompt_hash, stage, model (the one asked), response_model (the one
that signed), date, text, stop_reason, and usage in tokens, with whether they are estimates, or
null. ``input_hash`` is the
request's hash of all that the prompt shows. Another input than the recorded one is not answered:
its result is ``not_recorded``. Another wording of the prompt is, and the response keeps the hash of
the recorded one. Attempts at a request get its recorded responses in their order, and then the last
one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from latent_probes import landing
from latent_probes.common import limits, sql
from latent_probes.common.files import atomic_write, hash_of
from latent_probes.common.home import Home
from latent_probes.providers import ListedBatch, ProviderError, Request
from latent_probes.providers.spool import Spool

# The recording of the demo, in the project, and its model, whose version is not stated: no service
# has a model of this name.
BUNDLED = Path("sample") / "responses.jsonl"
BUNDLED_MODEL = "claude-unversioned"
COLUMNS = {
    "request_id": "varchar",
    "input_hash": "varchar",
    "prompt_hash": "varchar",
    "stage": "varchar",
    "model": "varchar",
    "response_model": "varchar",
    "date": "date",
    "text": "varchar",
    "stop_reason": "varchar",
    "usage": "struct(input_tokens bigint, output_tokens bigint, is_estimated boolean)",
}


def lines_of(recording: Path) -> str:
    """The responses of a recording as a SQL table, in the order of the file."""
    return (
        f"read_json({sql.file_literal(recording)}, format = 'newline_delimited', "
        f"maximum_object_size = {limits.ROW_CHARACTERS}, columns = {COLUMNS})"
    )


def create(home: Home) -> Recorded:
    """Create the provider for the recording of the project."""
    return Recorded(home.batches / Recorded.name, home.project / BUNDLED)


class Recorded:
    """Responses of the file ``recording``. ``folder`` emulates the batch service."""

    name = "recorded"
    max_requests = 100_000
    max_bytes = 1 << 30
    poll_seconds = 0.1
    asks_when_collected = True
    # Submitted batches are on disk.
    settle_seconds = 0.0
    message_sql = landing.MESSAGES_API

    def __init__(self, folder: Path, recording: Path):
        self.spool = Spool(folder, "recorded")
        self.recording = recording

    @functools.cached_property
    def recording_hash(self) -> str | None:
        """The hash of the recording."""
        return hash_of(self.recording) if self.recording.is_file() else None

    def serves(self, model: str) -> bool:
        """Only models whose responses were recorded."""
        return model in self.models

    @functools.cached_property
    def models(self) -> set[str]:
        """The models whose responses were recorded."""
        return {model for (model,) in self.query("select distinct model from recorded")}

    def encode(self, request: Request) -> bytes:
        """A JSON object with what identifies a recorded response."""
        return json.dumps(
            {
                "custom_id": request.custom_id,
                "model": request.model,
                "input_hash": request.input_hash,
                "shown_hash": request.shown_hash,
                "prompt_hash": request.prompt_hash,
            }
        ).encode()

    def count(self, line: bytes) -> int:
        """Always 0: nothing is read."""
        return 0

    def submit(self, body: Path) -> str:
        """Store the body."""
        return self.spool.keep(body)

    def list(self) -> Iterator[ListedBatch]:
        """The stored batches."""
        return self.spool.list()

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Write the recorded responses to a batch. Raises ProviderError for a bad recording."""
        body = sql.file_literal(self.spool.body(provider_batch_id))
        rows = self.query(
            f"""
            with
            asked as (
                select
                    *,
                    regexp_extract(custom_id, '^(.+)-([0-9]+)$', ['request_id', 'attempt']) as name,
                from read_json({body}, format = 'newline_delimited', columns = {{
                    custom_id: 'varchar',
                    model: 'varchar',
                    input_hash: 'varchar',
                    shown_hash: 'varchar'
                }})
            )
            select
                json_object('custom_id', asked.custom_id, 'result', if(
                    recorded.request_id is null,
                    json_object('type', 'not_recorded', 'recording', $recording),
                    json_object(
                        'type', 'succeeded',
                        'recording', $recording,
                        'recording_file', $file,
                        'prompt_hash', recorded.prompt_hash,
                        'date', recorded.date,
                        'message', json_object(
                            'model', recorded.response_model,
                            'stop_reason', recorded.stop_reason,
                            'content', [json_object('type', 'text', 'text', recorded.text)],
                            'usage', recorded.usage
                        )
                    )
                ))
            from asked
            left join recorded
                on
                    asked.name.request_id = recorded.request_id
                    and least(asked.name.attempt::bigint, recorded.n_places) = recorded.place
                    and asked.model = recorded.model
                    -- Requests from before version 8 of the landing file have only the other hash.
                    and recorded.input_hash in (asked.shown_hash, asked.input_hash)
            order by asked.custom_id
            """,
            {"recording": self.recording_hash or "", "file": self.recording.name},
        )
        with atomic_write(results) as partial:
            partial.write_text("".join(f"{line}\n" for (line,) in rows), encoding="utf-8")

    def cancel(self, provider_batch_id: str) -> None:
        """Nothing to do: answers are free and immediate."""

    def forget(self, provider_batch_id: str) -> None:
        """Delete the batch."""
        self.spool.forget(provider_batch_id)

    def refuse_incomplete(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raise ProviderError if a response of ``recorded`` lacks a field other than its usage."""
        fields = [name for name in COLUMNS if name != "usage"]
        lacking = " or ".join(f"{name} is null" for name in fields)
        found = connection.execute(f"select min(number) from recorded where {lacking}").fetchall()
        if (number := found[0][0]) is not None:
            raise ProviderError(
                f"line {number} of the recording {self.recording} lacks one of its fields "
                f"({', '.join(fields)})"
            )

    def query(self, query: str, values: dict[str, str] | None = None) -> Any:
        """The rows of a query on ``recorded``: the recording, with each response's place."""
        if not self.recording.is_file():
            raise ProviderError(
                f"no recording {self.recording}: name one with --recording, or make one with "
                "`latent-probes run --provider NAME --record FILE`"
            )
        try:
            with duckdb.connect() as connection:
                connection.execute(
                    f"""
                    create temp table recorded as
                    select
                        *,
                        row_number() over (same order by number) as place,
                        count(*) over same as n_places,
                    from (
                        select *, row_number() over () as number from {lines_of(self.recording)}
                    )
                    window same as (partition by request_id, model, input_hash)
                    """
                )
                self.refuse_incomplete(connection)
                return connection.execute(query, values or {}).fetchall()
        except duckdb.Error as error:
            raise ProviderError(
                f"the recording {self.recording} cannot be read ({str(error).splitlines()[0]}): "
                "write it again with "
                "`latent-probes run --provider NAME --record FILE`"
            ) from error
