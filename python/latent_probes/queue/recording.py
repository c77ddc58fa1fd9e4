"""Record responses, so that the provider `recorded` can replay them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from latent_probes import landing
from latent_probes.common import sql, terminal
from latent_probes.common.files import atomic_write
from latent_probes.common.home import Home
from latent_probes.providers.recorded import lines_of


class RecordingError(Exception):
    """A recording cannot be written; the message gives the reason and the remedy."""


def refuse(file: Path) -> None:
    """Raise RecordingError if a recording cannot be written to a file: before anything is asked."""
    if file.suffix != ".jsonl":
        raise RecordingError(
            f"a recording is a file of JSON lines: end its name in .jsonl ({file})"
        )
    if file.is_dir():
        raise RecordingError(f"{file} is a folder: name a file for the recording")
    if not file.parent.is_dir():
        raise RecordingError(f"there is no folder {file.parent} for the recording")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise RecordingError(f"{file} cannot be written: name another file for the recording")


@contextmanager
def recorded_after(home: Home, file: Path | None) -> Iterator[None]:
    """Write a recording after the block, if a file is named: also after one that fails."""
    try:
        yield
    except BaseException:
        if file is not None:
            try:
                record(home, file)
            except (RecordingError, OSError, duckdb.Error) as error:
                terminal.say(f"not recorded: {error}")
        raise
    if file is not None:
        record(home, file)


def record(home: Home, file: Path) -> None:
    """Write all responses that landed to a file of JSON lines, in the order of asking.

    Its columns are described in ``providers.recorded``. Prompts are not in it. Raises
    RecordingError if the file exists and has anything that this home lacks.
    """
    # A link stays a link.
    file = file.resolve()
    with landing.looked_at(home.landing) as connection, atomic_write(file) as partial:
        connection.execute(
            f"""
            copy (
                select
                    requests.request_id,
                    coalesce(requests.shown_hash, requests.input_hash) as input_hash,
                    -- Of a response that was itself replayed, as it was recorded.
                    coalesce(
                        responses.body ->> '$.result.prompt_hash', requests.prompt_hash
                    ) as prompt_hash,
                    requests.stage,
                    requests.model,
                    responses.model as response_model,
                    coalesce(
                        try_cast(responses.body ->> '$.result.date' as date),
                        responses.landed_at::date
                    ) as date,
                    responses.text,
                    responses.stop_reason,
                    case
                        when responses.usage is not null
                            then {{
                                'input_tokens': responses.usage.input_tokens,
                                'output_tokens': responses.usage.output_tokens,
                                'is_estimated': coalesce(
                                    responses.body ->> '$.result.message.usage.is_estimated'
                                    = 'true',
                                    false
                                )
                            }}
                    end as usage,
                from responses
                join requests using (request_id, attempt)
                where responses.outcome = 'succeeded'
                order by
                    list_position(['generator', 'answerer', 'judge'], requests.stage),
                    requests.round_number,
                    requests.request_id,
                    requests.attempt
            ) to {sql.literal(partial)} (format json)
            """
        )
        ((n_responses,),) = connection.execute(
            "select count(*) from responses where outcome = 'succeeded'"
        ).fetchall()
        if file.exists() and (n_lost := n_missing(file, partial)):
            partial.unlink()
            raise RecordingError(
                f"{file} has {n_lost:,} responses that this home lacks: name another file"
            )
    terminal.say(
        f"recorded {n_responses:,} responses in {file}; replay them with "
        f"`latent-probes run --provider recorded --recording {file}`"
    )


def n_missing(file: Path, other: Path) -> int:
    """Number of responses of a recording that another one lacks."""

    responses = "select request_id, model, input_hash, text from"
    try:
        with duckdb.connect() as connection:
            ((found,),) = connection.execute(
                f"select count(*) from ({responses} {lines_of(file)} "
                f"except {responses} {lines_of(other)})"
            ).fetchall()
    except duckdb.Error as error:
        other.unlink()
        raise RecordingError(f"{file} exists and is not a recording: name another file") from error
    return int(found)
