"""Write files so that they are there whole, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` at the end of the block.

    If the block fails, or the process is killed, ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    replace(partial, path)


def replace(source: Path, path: Path) -> None:
    """Put ``source`` in the place of ``path``, on the disk and not only in its cache."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_by_hash(folder: Path, lines: Iterable[bytes]) -> str:
    """Write lines to a file of ``folder`` that is named by its SHA-256; return the hash."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".next.partial"
    digest = hashlib.sha256()
    with partial.open("wb") as file:
        for line in lines:
            digest.update(line)
            digest.update(b"\n")
            file.write(line)
            file.write(b"\n")
    replace(partial, folder / f"{digest.hexdigest()}.jsonl")
    return digest.hexdigest()


def same_file(path: Path) -> list[int] | None:
    """Size and time of last change, to tell whether a file was touched; None if there is none."""
    if not path.exists():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def same_database(path: Path) -> list[list[int] | None]:
    """As ``same_file``, of a DuckDB file and its log: what a killed process wrote is only there."""
    return [same_file(path), same_file(path.with_name(f"{path.name}.wal"))]


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_id(path: Path) -> str:
    """The SHA-1 under which git knows the bytes of a file, in hex."""
    head = f"blob {path.stat().st_size}\0".encode()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.sha1(head, usedforsecurity=False))
    return digest.hexdigest()
