"""Read the tables that people hand over: Parquet, JSONL or CSV, with one schema for all formats.

Nothing is guessed. Text is UTF-8, or UTF-16 with a byte order mark; JSONL and CSV can be compressed
with gzip or zstd. CSV fields are separated by commas unless a delimiter is named, and quoted with
doubled quotes. Names of columns are compared exactly. What does not fit is refused with its row.
"""

from latent_probes.table_files.columns import Column, Number, Text, Texts
from latent_probes.table_files.reading import names, read
from latent_probes.table_files.sources import (
    FileError,
    NoRowsError,
    RowMemoryError,
    Source,
    is_readable,
    local_file,
    refuse_unknown_format,
    suffixes,
)

__all__ = [
    "Column",
    "FileError",
    "NoRowsError",
    "Number",
    "RowMemoryError",
    "Source",
    "Text",
    "Texts",
    "is_readable",
    "local_file",
    "names",
    "read",
    "refuse_unknown_format",
    "suffixes",
]
