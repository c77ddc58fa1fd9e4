"""A file to read: its local path, its format, and its origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath

from latent_probes.common import files

FORMATS = (".parquet", ".jsonl", ".csv")
# Of text; Parquet files are compressed inside.
COMPRESSIONS = (".gz", ".zst")
SPREADSHEETS = (".xlsx", ".xls", ".ods")
# What a checkout has instead of a large file that was not fetched.
LFS_POINTER = b"version https://git-lfs"


class FileError(Exception):
    """A file that is refused; the message names the file, the row and the remedy."""


class NoRowsError(FileError):
    """A file without rows."""


class RowMemoryError(FileError):
    """A file with a row that needs more memory than is available."""


@dataclass(frozen=True)
class Source:
    """A local file and its recorded origin.

    ``place`` is its name in messages; ``name`` and ``kind`` are its name in ``rollout_sources``.
    ``delimiter`` separates the fields of a CSV file.
    """

    path: Path
    place: str
    name: str
    kind: str
    source_hash: str
    details: dict = field(default_factory=dict)
    delimiter: str = ","

    @property
    def format(self) -> str:
        """The format that the name states, such as ``.csv``."""
        return split(self.path.name)[0]

    @property
    def compression(self) -> str:
        """The compression that the name states, such as ``.gz``, or an empty text."""
        return split(self.path.name)[1]


def row_name(number: int) -> str:
    """A row in a message."""
    return f"row {number}" if number else "the header"


def split(name: str) -> tuple[str, str]:
    """Format and compression that a file name states; the format is empty if it is unknown."""
    path = PurePath(name.lower())
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    stated = PurePath(path.stem).suffix if compression else path.suffix
    known = stated in FORMATS and not (compression and stated == ".parquet")
    return (stated, compression) if known else ("", "")


def suffixes(name: str) -> str:
    """The end of a file name that states format and compression, such as ``.jsonl.gz``."""
    return "".join(split(name))


def is_readable(name: str) -> bool:
    """Whether a file name states a known format."""
    return bool(suffixes(name))


def refuse_unknown_format(place: str) -> None:
    """Raise FileError for a file name that states no known format."""
    if PurePath(place.lower()).suffix in SPREADSHEETS:
        raise FileError(f"{place}: is a spreadsheet; save it as CSV in UTF-8")
    if PurePath(place.lower()).suffix == ".json":
        raise FileError(f"{place}: .json is not read; write one object per line and name it .jsonl")
    if not is_readable(place):
        raise FileError(
            f"{place}: cannot tell the format; name the file .parquet, .jsonl or .csv "
            "(.jsonl and .csv also with .gz or .zst; of a CSV file, another delimiter than a comma "
            "is named with --delimiter)"
        )


def local_file(path: Path, delimiter: str = ",") -> Source:
    """The source for a local path given by the user."""
    try:
        is_folder = path.is_dir()
    # For example a name that is too long.
    except OSError:
        is_folder = False
    if is_folder:
        raise FileError(f"{path}: is a folder; name the files in it, for example {path}/*.parquet")
    refuse_unknown_format(str(path))
    try:
        if not path.is_file():
            raise FileError(f"{path}: no such file; check the path")
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise FileError(f"{path}: is a Git LFS pointer; fetch the file with `git lfs pull`")
        source_hash = files.hash_of(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    return Source(path, str(path), path.name, "file", source_hash, delimiter=delimiter)
