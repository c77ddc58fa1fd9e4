"""A file to be landed: where its bytes lie, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath

from latent_probes.common import files

SUFFIXES = (".parquet", ".jsonl", ".csv")


class RolloutFileError(Exception):
    """A file that cannot land; the message names the file, the row and the remedy."""


@dataclass(frozen=True)
class Source:
    """A file on this machine, and what is recorded of where it came from.

    ``place`` is how messages name it, ``name`` and ``kind`` how ``rollout_sources`` does.
    """

    path: Path
    place: str
    name: str
    kind: str
    source_hash: str
    details: dict = field(default_factory=dict)


def is_readable(name: str) -> bool:
    """Whether a name tells a format that is known."""
    return PurePath(name).suffix in SUFFIXES


def refuse_unknown_format(place: str) -> None:
    """Refuse a file whose name does not tell its format."""
    if not is_readable(place):
        raise RolloutFileError(
            f"{place}: cannot tell the format; name the file .parquet, .jsonl or .csv"
        )


def local_file(path: Path) -> Source:
    """A file that a person names."""
    refuse_unknown_format(str(path))
    if not path.is_file():
        raise RolloutFileError(f"{path}: no such file; check the path")
    return Source(path, str(path), path.name, "file", files.hash_of(path))
