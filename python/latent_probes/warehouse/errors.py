"""Errors of builds, in a few lines; complete messages are written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from latent_probes.common import locks
from latent_probes.common.home import Home

MAX_LINES = 4
MAX_LINE = 300
DAMAGED = "a file is damaged: restore landing.duckdb from a copy, or delete warehouse.duckdb"
# What to do about a warehouse that cannot be opened.
REMEDY = "delete the file, and the next command builds it again"
# Messages of the engine that have one remedy, whatever was built.
REMEDIES = {
    locks.FULL_DISK: "the disk is full: free some space and run again",
    locks.FULL_TEMPORARY_FOLDER: "the disk is full: free some space and run again",
    "Could not read enough bytes": DAMAGED,
    "Corrupt database file": DAMAGED,
    "Out of Memory Error": "not enough memory: allow DuckDB more, as in LATENT_PROBES_MEMORY=8GB, "
    "or use a larger machine",
}


class WarehouseError(Exception):
    """The warehouse cannot be built or read; the message gives the node and the reason."""


def not_built(home: Home, messages: Sequence[str]) -> WarehouseError:
    """The error of a build, from the messages of what failed."""
    for sign, remedy in REMEDIES.items():
        if any(sign in message for message in messages):
            return WarehouseError(f"the warehouse was not built: {remedy}; landed data is kept")
    lines = ["the warehouse was not built:", *map(shortened, messages)]
    complete = home.folder / "logs" / "build-errors.txt"
    with suppress(OSError):
        complete.parent.mkdir(exist_ok=True)
        complete.write_text("\n\n".join(messages), encoding="utf-8")
        lines.append(f"complete messages: {complete}")
    return WarehouseError("\n".join(lines))


def shortened(message: str) -> str:
    """The first lines of a message, of bounded length."""
    lines = [line.strip()[:MAX_LINE] for line in message.splitlines() if line.strip()]
    return "\n  ".join(lines[:MAX_LINES])
