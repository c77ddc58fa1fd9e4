"""Parquet files: columns are typed, and only those that are needed are read."""

from __future__ import annotations

import re

import duckdb
import pyarrow

from latent_probes.common import sql
from latent_probes.table_files.columns import Column, Number, Text, Texts, shown
from latent_probes.table_files.sources import FileError, Source

TEXT = r"VARCHAR|ENUM\(.*\)"
TEXTS = r'(VARCHAR|"NULL")\[\d*\]'
INTEGER = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?"
NUMBER = rf"{INTEGER}|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)"
# With digits after the point.
DECIMAL = r"DECIMAL\(\d+,[1-9]\d*\)"
# The type of a column in which everything is null.
NOTHING = '"NULL"'


def table(source: Source) -> str:
    """SQL of the table to select from."""
    return f"read_parquet({sql.file_literal(source.path)}, hive_partitioning = false)"


def described(connection: duckdb.DuckDBPyConnection, source: Source) -> list[tuple[str, str, str]]:
    """Of each column: its name, its name in SQL, and its type there.

    DuckDB renames columns that differ in case only.
    """
    columns = connection.execute(f"describe from {table(source)}").fetchall()
    elements = connection.execute(
        f"select name, num_children from parquet_schema({sql.file_literal(source.path)})"
    ).fetchall()
    names, open_children = [], [1]
    for name, n_children in elements:
        # The children of the root are columns, those of a column are not.
        if len(open_children) == 2:
            names.append(name)
        open_children[-1] -= 1
        if n_children:
            open_children.append(n_children)
        while open_children and open_children[-1] == 0:
            open_children.pop()
    return [(name, *column[:2]) for name, column in zip(names, columns, strict=True)]


def names(connection: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    """The names of the columns."""
    return [name for name, _, _ in described(connection, source)]


def numbered(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: list[Column]
) -> tuple[str, list[str]]:
    """SQL of the rows with their numbers and our columns, and which of these the file has.

    Numbers are texts. Raises FileError for a column of the wrong type.
    """
    found = {name: (known, kind) for name, known, kind in described(connection, source)}
    values = {}
    for column in columns:
        if column.theirs in found:
            known, kind = found[column.theirs]
            if not is_right(column.kind, kind):
                raise FileError(
                    f"{source.place}, row 1: column {shown(column.theirs)} is {kind[:40]}, not "
                    f"{column.kind.words}; cast it before landing"
                )
            wanted = "varchar[]" if isinstance(column.kind, Texts) else "varchar"
            value = f"{sql.identifier(known)}::{wanted}"
            if isinstance(column.kind, Number) and re.fullmatch(DECIMAL, kind):
                value = plain_decimal(value)
            values[column.ours] = f"{value} as {column.ours}"
    selected = ", ".join(["row_number() over () as row_number", *values.values()])
    return f"(select {selected} from {table(source)})", list(values)


def plain_decimal(text: str) -> str:
    """SQL: the text of a decimal as JSON has it; of decimals below 1, some types have no zero."""
    return rf"rtrim(rtrim(regexp_replace({text}, '^(-?)\.', '\10.'), '0'), '.')"


def is_right(kind: Text | Texts | Number, found: str) -> bool:
    """Whether a column of this type has such values."""
    if isinstance(kind, Number):
        pattern = NUMBER
    elif isinstance(kind, Texts):
        pattern = TEXTS
    else:
        pattern = f"{TEXT}|{INTEGER}" if kind.or_integer else TEXT
    return found == NOTHING or bool(re.fullmatch(pattern, found, re.DOTALL))


def undecodable(source: Source, columns: list[Column]) -> FileError | None:
    """The error for the first row with a text that is not UTF-8, if that is what is wrong."""
    from pyarrow import parquet

    texts = {column.theirs for column in columns if not isinstance(column.kind, Number)}
    number = 0
    try:
        with parquet.ParquetFile(source.path) as file:
            for batch in file.iter_batches():
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    if name in texts and pyarrow.types.is_string(column.type):
                        for place, text in enumerate(column.cast(pyarrow.binary()).to_pylist()):
                            if text is not None and not is_utf_8(text):
                                return FileError(
                                    f"{source.place}, row {number + place + 1}: {name} is not "
                                    "UTF-8; fix or drop the row"
                                )
                number += batch.num_rows
    except (pyarrow.ArrowException, OSError):
        # Something else is wrong.
        pass
    return None


def is_utf_8(text: bytes) -> bool:
    """Whether bytes are a text."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
