"""A file to land: its local path and its origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath

from latent_probes.common import files

SUFFIXES = (".parquet", ".jsonl", ".csv")


class RolloutFileError(Exception):
    """A file that cannot land; the message names the file, the row and the remedy."""


@dataclass(frozen=True)
class Source:
    """A local file and its recorded origin.

    ``place`` is its name in messages; ``name`` and ``kind`` are its name in ``rollout_sources``.
    """

    path: Path
    place: str
    name: str
    kind: str
    source_hash: str
    details: dict = field(default_factory=dict)


def is_readable(name: str) -> bool:
    """Whether a file name has a known suffix."""
    return PurePath(name).suffix in SUFFIXES


def refuse_unknown_format(place: str) -> None:
    """Raise RolloutFileError for a file name without a known suffix."""
    if not is_readable(place):
        raise RolloutFileError(
            f"{place}: cannot tell the format; name the file .parquet, .jsonl or .csv"
        )


def local_file(path: Path) -> Source:
    """The source for a local path given by the user."""
    refuse_unknown_format(str(path))
    if not path.is_file():
        raise RolloutFileError(f"{path}: no such file; check the path")
    return Source(path, str(path), path.name, "file", files.hash_of(path))
