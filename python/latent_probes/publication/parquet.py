"""Write rows of the warehouse to Parquet: sorted, a few hundred documents at a time.

A row group contains complete documents. A document's text, which each of its probes repeats, is
then stored once in the group's dictionary, and reading one document reads one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from latent_probes.publication.tables import Table

# With 16 slots per document: row groups of at most 8,192 probes.
DOCUMENTS_AT_ONCE = 512
# The overview is narrow, and read whole: few pages, which are decompressed fast.
OVERVIEW_DOCUMENTS_AT_ONCE = 16_384
SETTINGS = {
    "compression": "zstd",
    # Files are written once, but uploaded and read often.
    "compression_level": 6,
    # Repeated texts must stay in the dictionary, however long the texts between them are.
    "dictionary_pagesize_limit": 64 << 20,
    # Lets clients that need only a few rows, such as the Hub's viewer, decode only their pages.
    "write_page_index": True,
}
# The explorer reads one document at a time of these tables, which have a row per document, or
# several: small pages, each with at most so many rows.
ROWS_PER_PAGE = {
    **dict.fromkeys(("compact", "units", "siblings"), 16),
    **dict.fromkeys(("rejections", "probe_findings", "control_answers"), 128),
}
SMALL_PAGES = {"data_page_size": 64 << 10, "write_batch_size": 16}
# No text of the compact form occurs twice, and its texts are not looked for: dictionaries only of
# names, and the least and largest value only of keys.
COMPACT_STATISTICS = ["round_number", "source_model", "doc_id"]
NAMES = {
    *("scope", "target", "typicality", "source", "atom_origin"),
    *("source_model", "generator_model", "tokenizer"),
}

# Columns of an overview without nulls.
COMPLETE = {"round_number", "doc_id", "slot_idx", "scope", "target"}


def write(
    connection: duckdb.DuckDBPyConnection, table: Table, round_number: int | None, path: Path
) -> None:
    """Write a table, or its rows of one round, with one row group in memory at a time."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    query = f"select {columns} from {table.source}"
    schema = connection.sql(f"{query} limit 0").to_arrow_table().schema
    if table.config == "overview":
        schema = with_complete_columns(schema)
    with pyarrow.parquet.ParquetWriter(path, schema, **settings(table, schema)) as writer:
        for condition, parameters in pages(connection, table, round_number):
            rows = connection.sql(
                f"{query} where {condition} order by {table.order}", params=parameters
            ).to_arrow_table()
            if rows.num_rows:
                rows = rows.cast(schema)
                writer.write_table(rows, row_group_size=rows.num_rows)


def settings(table: Table, schema: pyarrow.Schema) -> dict:
    """How the files of a table with this schema are written."""
    if table.config not in ROWS_PER_PAGE:
        return SETTINGS
    chosen = SETTINGS | SMALL_PAGES | {"max_rows_per_page": ROWS_PER_PAGE[table.config]}
    if table.config != "compact":
        return chosen
    named = [path for path in leaves(schema) if path.rpartition(".")[2] in NAMES]
    return chosen | {"use_dictionary": named, "write_statistics": COMPACT_STATISTICS}


def with_complete_columns(schema: pyarrow.Schema) -> pyarrow.Schema:
    """The schema of an overview with the columns that never have a null marked as such.

    The explorer reads them in half the time. They are the same in each file, or the files could not
    be read as one table.
    """
    for number, field in enumerate(schema):
        if field.name in COMPLETE:
            schema = schema.set(number, field.with_nullable(False))
    return schema


def leaves(schema: pyarrow.Schema) -> list[str]:
    """The paths of a schema's columns in a file, such as probes.list.element.scope."""
    file = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(schema.empty_table(), file)
    written = pyarrow.parquet.read_metadata(pyarrow.BufferReader(file.getvalue())).schema
    return [written.column(number).path for number in range(len(written))]


def pages(
    connection: duckdb.DuckDBPyConnection, table: Table, round_number: int | None
) -> Iterator[tuple[str, list]]:
    """SQL conditions with parameters that select the rows of each row group, in order."""
    if round_number is None:
        yield "true", []
        return
    at_once = OVERVIEW_DOCUMENTS_AT_ONCE if table.config == "overview" else DOCUMENTS_AT_ONCE
    for first, last in connection.execute(
        """
        with

        numbered as (

            select doc_id, (row_number() over (order by doc_id) - 1) // ? as page
            from round_documents
            where round_number = ?

        )

        select min(doc_id), max(doc_id)
        from numbered
        group by page
        order by page
        """,
        [at_once, round_number],
    ).fetchall():
        yield "round_number = ? and doc_id between ? and ?", [round_number, first, last]
