"""Rows of the warehouse as a Parquet file: sorted, a few hundred documents at a time.

A row group holds whole documents, so that a document's text, which each of its probes repeats,
stands once in the dictionary of the group, and whoever reads one document reads one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from latent_probes.publication.tables import Table

# 16 slots of each: row groups of at most 8,192 probes.
DOCUMENTS_AT_ONCE = 512
SETTINGS = {
    "compression": "zstd",
    # Written once, sent and read often.
    "compression_level": 6,
    # A text that comes sixteen times is to be found again however long the texts between are.
    "dictionary_pagesize_limit": 64 << 20,
    # Readers of a few rows, like the Hub's viewer, decode only the pages with them.
    "write_page_index": True,
}


def write(
    connection: duckdb.DuckDBPyConnection, table: Table, round_number: int | None, path: Path
) -> None:
    """Write a table, or its rows of one round. Memory is that of one row group."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    query = f"select {columns} from {table.source}"
    schema = connection.sql(f"{query} limit 0").to_arrow_table().schema
    with pyarrow.parquet.ParquetWriter(path, schema, **SETTINGS) as writer:
        for condition, parameters in pages(connection, table, round_number):
            rows = connection.sql(
                f"{query} where {condition} order by {table.order}", params=parameters
            ).to_arrow_table()
            if rows.num_rows:
                writer.write_table(rows, row_group_size=rows.num_rows)


def pages(
    connection: duckdb.DuckDBPyConnection, table: Table, round_number: int | None
) -> Iterator[tuple[str, list]]:
    """The conditions, with their parameters, that pick the rows of each row group in turn."""
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
