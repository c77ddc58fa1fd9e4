"""Data sets as commits: each commit holds all files, as paths and bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

LARGE_SUFFIXES = (".parquet",)
LARGE_SIZE = 10 << 20


@dataclass(frozen=True)
class File:
    """A file at a path. Large ones are kept apart (LFS), and git has a pointer to them."""

    path: str
    content: bytes

    @property
    def is_large(self) -> bool:
        """Whether it is kept apart."""
        return self.path.endswith(LARGE_SUFFIXES) or len(self.content) > LARGE_SIZE

    @cached_property
    def sha256(self) -> str:
        """The hash of its bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git keeps of a large file."""
        return (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{self.sha256}\nsize {len(self.content)}\n"
        ).encode()

    @cached_property
    def blob_id(self) -> str:
        """The hash under which git keeps it, or its pointer."""
        kept = self.pointer if self.is_large else self.content
        return hashlib.sha1(b"blob %d\0" % len(kept) + kept).hexdigest()

    @property
    def etag(self) -> str:
        """What names its bytes."""
        return self.sha256 if self.is_large else self.blob_id

    def as_json(self) -> dict:
        """The file as a listing shows it."""
        entry = {
            "type": "file",
            "oid": self.blob_id,
            "size": len(self.content),
            "path": self.path,
        }
        if self.is_large:
            entry["lfs"] = {
                "oid": self.sha256,
                "size": len(self.content),
                "pointerSize": len(self.pointer),
            }
        return entry


@dataclass(frozen=True)
class Commit:
    """All files of a data set at one time, by path."""

    sha: str
    files: dict[str, File]
    parent: str | None


@dataclass
class Repository:
    """A data set. A private one is only for the token; a gated one shows its list to everybody; to
    a read-only one nobody may write."""

    name: str
    is_private: bool = False
    is_gated: bool = False
    is_read_only: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, contents: dict[str, bytes], branch: str = "main") -> str:
        """Make a commit of these files and no others; return its sha."""
        files = {path: File(path, content) for path, content in sorted(contents.items())}
        parent = self.branches.get(branch)
        said = [str(parent), branch, *(f"{path} {file.blob_id}" for path, file in files.items())]
        sha = hashlib.sha1("\n".join(said).encode()).hexdigest()
        self.commits[sha] = Commit(sha, files, parent)
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch, or the beginning of a sha, means."""
        if revision in self.branches:
            return self.commits[self.branches[revision]]
        if len(revision) < 7:
            return None
        return next(
            (commit for sha, commit in self.commits.items() if sha.startswith(revision)), None
        )
