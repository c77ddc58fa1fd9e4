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
SETTINGS = {
    "compression": "zstd",
    # Files are written once, but uploaded and read often.
    "compression_level": 6,
    # Repeated texts must stay in the dictionary, however long the texts between them are.
    "dictionary_pagesize_limit": 64 << 20,
    # Lets clients that need only a few rows, such as the Hub's viewer, decode only their pages.
    "write_page_index": True,
}
# A row of the compact form is read alone, by the explorer for example, and no text of it occurs
# twice: small pages, and dictionaries only of names.
COMPACT_SETTINGS = {"data_page_size": 128 << 10, "write_batch_size": 16}
NAMES = {
    *("scope", "target", "typicality", "source", "atom_origin"),
    *("source_model", "generator_model", "tokenizer"),
}


def write(
    connection: duckdb.DuckDBPyConnection, table: Table, round_number: int | None, path: Path
) -> None:
    """Write a table, or its rows of one round, with one row group in memory at a time."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    query = f"select {columns} from {table.source}"
    schema = connection.sql(f"{query} limit 0").to_arrow_table().schema
    with pyarrow.parquet.ParquetWriter(path, schema, **settings(table, schema)) as writer:
        for condition, parameters in pages(connection, table, round_number):
            rows = connection.sql(
                f"{query} where {condition} order by {table.order}", params=parameters
            ).to_arrow_table()
            if rows.num_rows:
                writer.write_table(rows, row_group_size=rows.num_rows)


def settings(table: Table, schema: pyarrow.Schema) -> dict:
    """How the files of a table with this schema are written."""
    if table.config != "compact":
        return SETTINGS
    named = [path for path in leaves(schema) if path.rpartition(".")[2] in NAMES]
    return SETTINGS | COMPACT_SETTINGS | {"use_dictionary": named}


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
        [DOCUMENTS_AT_ONCE, round_number],
    ).fetchall():
        yield "round_number = ? and doc_id between ? and ?", [round_number, first, last]
