"""Atomic writes, and identities of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` at the end of the block.

    If the block fails or the process is killed, ``path`` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    replace(partial, path)


def replace(source: Path, path: Path) -> None:
    """Replace ``path`` by ``source``, and flush both to disk."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_by_hash(folder: Path, lines: Iterable[bytes]) -> str:
    """Write lines to a file in ``folder`` named by its SHA-256; return the hash."""
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
    """Size in bytes and modification time in ns, to detect changes; None if the file is missing."""
    if not path.exists():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def same_database(path: Path) -> list[list[int] | None]:
    """``same_file`` of a DuckDB file and of its log, where a killed process leaves its writes."""
    return [same_file(path), same_file(path.with_name(f"{path.name}.wal"))]


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_id(path: Path) -> str:
    """SHA-1 of a file as a git blob, in hex."""
    head = f"blob {path.stat().st_size}\0".encode()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.sha1(head, usedforsecurity=False))
    return digest.hexdigest()
