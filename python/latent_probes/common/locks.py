"""Wait for DuckDB files that another process has open, and say which."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from latent_probes.common import terminal

FULL_DISK = "No space left on device"
# DuckDB calls it a lack of memory if what it moves from memory to the disk has no room there.
FULL_TEMPORARY_FOLDER = "max_temp_directory_size"
TIMEOUT_SECONDS = 60.0
# A person is told what is waited for after this time.
QUIET_SECONDS = 0.5
POLL_SECONDS = 0.1
CONFLICT = re.compile(r"could not set lock on file", re.IGNORECASE)
HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")

Opened = TypeVar("Opened")


def holder(error: Exception) -> str | None:
    """The process that has the file open of which DuckDB reports this; None for other errors."""
    if not CONFLICT.search(str(error)):
        return None
    if found := HOLDER.search(str(error)):
        return f"{Path(found[1]).name} (PID {found[2]})"
    return "another process"


def opened_when_free(
    path: Path,
    attempt: Callable[[], Opened],
    raised: type[Exception],
    remedy: str,
    seconds: float | None = None,
) -> Opened:
    """Call ``attempt``, which opens the DuckDB file, until no other process is in the way.

    Says who has it open if that lasts. Raises ``raised`` after ``seconds``, and for every other
    error of DuckDB, for which ``remedy`` says what to do.
    """
    seconds = TIMEOUT_SECONDS if seconds is None else seconds
    started = time.monotonic()
    has_said = False
    while True:
        try:
            return attempt()
        except duckdb.Error as error:
            who = holder(error)
            if who is None:
                advice = "free some disk space" if FULL_DISK in str(error) else remedy
                raise raised(f"{path} cannot be opened: {reason(error)}; {advice}") from error
            waited = time.monotonic() - started
            if waited >= seconds:
                raise raised(
                    f"{path} is open in {who}: close it there, or wait, and run again"
                ) from error
            if waited >= QUIET_SECONDS and not has_said:
                terminal.say(f"waiting for {path}, which is open in {who}")
                has_said = True
        time.sleep(POLL_SECONDS)


def reason(error: Exception) -> str:
    """The first line of an error of DuckDB, without its kind."""
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^[A-Za-z ]+ Error: ", "", first)
