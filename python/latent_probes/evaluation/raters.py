"""People who rate: their name and the hash of their file, beside the rows of that file."""

from __future__ import annotations

from pathlib import Path

import pyarrow

from latent_probes.common import files


def named(rater: str, error: type[Exception]) -> str:
    """The name of a rater, without white space around it. Raises ``error`` if it is empty."""
    if not rater.strip():
        raise error("--rater is empty: give the name of the rater")
    return rater.strip()


def signed(rows: pyarrow.Table, rater: str, path: Path) -> pyarrow.Table:
    """The rows of a file with the columns rater and file_hash."""
    for name, text in {"rater": rater, "file_hash": files.hash_of(path)}.items():
        rows = rows.append_column(name, pyarrow.array([text] * rows.num_rows, pyarrow.string()))
    return rows
