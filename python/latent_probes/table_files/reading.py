"""Read a file of any format: its names, and its checked rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb

from latent_probes.table_files import csv_rows, jsonl_rows, parquet_rows
from latent_probes.table_files.columns import Column, checked, refuse_wrong_names
from latent_probes.table_files.sources import FileError, NoRowsError, RowMemoryError, Source

TEXT_FORMATS = {".jsonl": jsonl_rows, ".csv": csv_rows}
BATCH = "batch_of_rows"


def names(connection: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    """The names of the columns; of a JSONL file, the keys of its first row."""
    if source.format in TEXT_FORMATS:
        found = TEXT_FORMATS[source.format].names(source)
        if found is None:
            raise NoRowsError(f"{source.place}: is empty; leave it out")
        return found
    try:
        return parquet_rows.names(connection, source)
    # The footer of a damaged file contradicts itself.
    except (duckdb.Error, ValueError) as error:
        raise unreadable(source, error) from error


def read(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    columns: list[Column],
    statement: Callable[[str], str],
    remedy: str = "",
) -> None:
    """Execute a statement over the rows of a file, some rows at a time.

    ``statement`` makes it from the SQL of a table of row_number, problem (of the row, or null) and
    ours: texts, lists of texts, and numbers as texts. ``remedy`` is what the command offers for a
    missing column. Raises FileError for a file that cannot be read or has other columns,
    NoRowsError for one without rows, and RowMemoryError for one with too large a row.
    """
    found = names(connection, source)
    hint = csv_rows.hint(source) if source.format == ".csv" else None
    refuse_wrong_names(source, columns, found, remedy, hint)
    n_rows = 0
    try:
        for rows, n_more in parts(connection, source, columns, found):
            n_rows += n_more
            if n_more:
                connection.execute(statement(rows))
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise RowMemoryError(
            f"{source.place}: a row needs more memory than is available; shorten or drop it"
        ) from error
    except duckdb.Error as error:
        bad = parquet_rows.undecodable(source, columns) if source.format == ".parquet" else None
        raise bad or unreadable(source, error) from error
    if not n_rows:
        raise NoRowsError(f"{source.place}: contains no rows; leave it out")


def parts(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: list[Column], found: list[str]
) -> Iterator[tuple[str, int]]:
    """SQL of the checked rows, and their number, for each part of a file."""
    if source.format not in TEXT_FORMATS:
        rows, ours = parquet_rows.numbered(connection, source, columns)
        (n_rows,) = connection.execute(
            f"select count(*) from {parquet_rows.table(source)}"
        ).fetchall()[0]
        yield checked(rows, columns, {name: name for name in ours}), n_rows
        return
    reader = TEXT_FORMATS[source.format]
    raw = reader.raw(source, columns, found)
    for batch in reader.batches(source, columns, found):
        connection.register(BATCH, batch.table(source.place))
        try:
            yield checked(BATCH, columns, raw, "problem"), len(batch.numbers)
        finally:
            connection.unregister(BATCH)


def unreadable(source: Source, error: Exception) -> FileError:
    """The error for what DuckDB cannot read."""
    # The lines after the first show our SQL.
    (first_line, *_) = str(error).splitlines() or [type(error).__name__]
    return FileError(
        f"{source.place}: cannot be read ({first_line}); the file may be truncated: write it again"
    )
