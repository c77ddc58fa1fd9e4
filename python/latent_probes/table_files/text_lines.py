"""Lines of a text file: decompressed, decoded by its byte order mark, and bounded."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import pyarrow

from latent_probes.common import limits
from latent_probes.table_files.sources import FileError, Source, row_name

# A BOM of UTF-32 begins with that of UTF-16.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# First bytes of other files.
OTHERS = {
    b"\x1f\x8b": "is compressed with gzip; add .gz to its name",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; add .zst to its name",
    b"PAR1": "is a Parquet file; name it .parquet",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; save it as CSV in UTF-8",
}
# What cannot be decoded becomes an unpaired surrogate.
MARKED = {"utf-8": "surrogateescape", "utf-8-sig": "surrogateescape", "utf-16": "surrogatepass"}


class Lines:
    """The lines of a text, with their ends; counts the characters since the last ``new_row``.

    ``last`` is the line that was read last.
    """

    def __init__(self, source: Source, text: IO[str]) -> None:
        self.place, self.text, self.in_row, self.in_file = source.place, text, 0, 0
        self.row, self.last = 1, ""

    def new_row(self, row: int) -> None:
        """Note that the next line begins this row."""
        self.row, self.in_row = row, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(limits.ROW_CHARACTERS + 1):
            self.in_row += len(line)
            self.in_file += len(line)
            if self.in_row > limits.ROW_CHARACTERS:
                raise FileError(
                    f"{self.place}, {row_name(self.row)}: longer than "
                    f"{limits.ROW_CHARACTERS:,} characters; shorten or drop the row, or close its "
                    "quote"
                )
            if self.in_file > limits.FILE_CHARACTERS:
                raise FileError(
                    f"{self.place}, {row_name(self.row)}: the text up to here is longer than "
                    f"{limits.FILE_CHARACTERS:,} characters; split the file"
                )
            self.last = line
            yield line


@contextmanager
def opened(source: Source, *, marked: bool = False) -> Iterator[Lines]:
    """Yield the lines of a text file.

    Lines end with LF, CRLF or CR. With ``marked``, characters that cannot be decoded are read as
    unpaired surrogates; otherwise they raise UnicodeDecodeError. Raises FileError for a file that
    cannot be decompressed.
    """
    with ExitStack() as stack:
        try:
            binary = decompressed(source.path, source.compression, stack)
            encoding = encoding_of(source, binary)
            errors = MARKED[encoding] if marked else "strict"
            text = stack.enter_context(
                io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline="")
            )
            yield Lines(source, text)
        except (EOFError, gzip.BadGzipFile, zlib.error, pyarrow.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise FileError(
                    f"{source.place}: cannot be read ({error.strerror}); check the file"
                ) from error
            raise FileError(
                f"{source.place}: cannot be decompressed ({error}); the file may be truncated, or "
                "compressed otherwise than its name states: write it again"
            ) from error


def decompressed(path: Path, compression: str, stack: ExitStack) -> io.BufferedReader:
    """Open a file and decompress it while it is read."""
    if compression == ".gz":
        return cast(io.BufferedReader, stack.enter_context(gzip.open(path, "rb")))
    if compression == ".zst":
        file = stack.enter_context(pyarrow.OSFile(str(path)))
        stream = stack.enter_context(pyarrow.CompressedInputStream(file, "zstd"))
        return io.BufferedReader(stream)
    return stack.enter_context(path.open("rb"))


def encoding_of(source: Source, binary: io.BufferedReader) -> str:
    """The encoding that the byte order mark states, else UTF-8.

    Raises FileError for a file that is not text.
    """
    start = binary.peek(4)[:4]
    for first, what in OTHERS.items():
        if start.startswith(first):
            raise FileError(f"{source.place}: {what}")
    for mark, encoding in ENCODINGS.items():
        if start.startswith(mark):
            if encoding not in MARKED:
                raise FileError(f"{source.place}, row 1: is UTF-32; save the file as UTF-8")
            return encoding
    if b"\0" in start:
        raise FileError(
            f"{source.place}, row 1: is UTF-16 without a byte order mark, or no text; save the "
            "file as UTF-8"
        )
    return "utf-8"


def undecodable(
    source: Source, rows: Callable[[Lines], Iterator[tuple[int, list[str]]]], error: Exception
) -> FileError:
    """The error for the first row that cannot be decoded.

    ``rows`` gives the number and the texts of each row.
    """
    last = -1
    try:
        with opened(source, marked=True) as lines:
            for number, texts in rows(lines):
                last = number
                if any(has_surrogate(text) for text in texts):
                    break
            else:
                last += 1
    except UnicodeDecodeError:
        # UTF-16 ends in the middle of a character.
        last += 1
    return FileError(
        f"{source.place}, {row_name(last)}: cannot be decoded ({error}); save the file as UTF-8, "
        "or as UTF-16 with a byte order mark"
    )


def has_surrogate(text: str) -> bool:
    """Whether a text contains an unpaired surrogate, which is not a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
