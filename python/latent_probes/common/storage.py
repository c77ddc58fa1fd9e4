"""A folder or an object store that several machines reach, by an address of fsspec."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class StorageError(Exception):
    """A storage cannot be used; the message gives the address and the reason."""


class Storage:
    """Files by name below an address: a path, or such as s3://bucket/folder."""

    def __init__(self, address: str):
        import fsspec

        self.address = address
        try:
            self.files, self.root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise StorageError(f"{address} cannot be used as storage: {error}") from error
        self.is_folder = "file" in self.files.protocol

    def place(self, name: str) -> str:
        """Where a file is, as fsspec says it."""
        return f"{self.root}/{name}"

    def put(self, source: Path, name: str) -> None:
        """Move a file into the storage, where it appears complete or not at all."""
        if not self.is_folder:
            self.files.put_file(str(source), self.place(name))
            source.unlink()
            return
        target = Path(self.place(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
        shutil.move(source, partial)
        partial.replace(target)

    def fetched(self, name: str, folder: Path) -> Path:
        """A local path of a file, which is copied into ``folder`` unless it is local."""
        if self.is_folder:
            return Path(self.place(name))
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy(name, target)
        return target

    def copy(self, name: str, target: Path) -> None:
        """Copy a file to a local path. Raises OSError if it does not exist."""
        self.files.get_file(self.place(name), str(target))

    def text(self, name: str) -> str | None:
        """The content of a text file; None if it does not exist."""
        try:
            content: Any = self.files.cat_file(self.place(name))
        except FileNotFoundError:
            return None
        return bytes(content).decode()

    def folders(self, name: str) -> list[str]:
        """The names of the folders in a folder, sorted."""
        try:
            listed = self.files.ls(self.place(name), detail=True)
        except FileNotFoundError:
            return []
        return sorted(
            entry["name"].rstrip("/").rsplit("/", 1)[-1]
            for entry in listed
            if entry["type"] == "directory"
        )

    def remove(self, name: str) -> None:
        """Remove a folder with its files, if it exists."""
        if self.files.exists(self.place(name)):
            self.files.rm(self.place(name), recursive=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary local folder; in a storage that is a folder, files move from it at once."""
        beside = None
        if self.is_folder:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            beside = self.root
        with tempfile.TemporaryDirectory(prefix=".latent-probes-", dir=beside) as name:
            yield Path(name).resolve()
