"""The figures of the card as SQL over the published files: the compiled models of the warehouse.

The same text makes the tables of the warehouse, the figures of the card, and, beside it, the file
with which anybody can make them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from latent_probes import warehouse
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.publication.tables import Table, paths

NAME = "queries.sql"
# Seeds that a figure reads.
CONSTANTS = ("score_bins", "slot_kinds", "published_columns", "published_tables")
# Models that read published tables, constants and one another, in this order.
FIGURES = (
    "scored_probes",
    "totals",
    "scope_summary",
    "split_summary",
    "score_histogram",
    "typicality_splits",
    "rejection_summary",
    "unscored_summary",
    "answer_formats",
    "request_settings",
    "spend_per_probe",
    "baseline_rounds",
    "example_probe",
    "flattened",
)
HEAD = """\
-- Every figure of the card, as a view over the Parquet files beside this one. In their folder:
--
--     duckdb -init queries.sql -c "from scope_summary"
--
-- From anywhere else, name the folder in DuckDB before this file is read:
--
--     set variable folder = 'somewhere/probes';
--     .read somewhere/probes/queries.sql
"""


def text(home: Home, connection: duckdb.DuckDBPyConnection, published: list[Table]) -> str:
    """The file of queries: published tables, constants, figures."""
    parts = [HEAD]
    for table in published:
        rows = f"from read_parquet(coalesce(getvariable('folder'), '.') || '/{table.pattern}')"
        if not paths(connection, table):
            rows = nothing(connection, table)
        parts.append(f"-- {table.meaning}\ncreate or replace view {table.model} as\n{rows};\n")
    parts += [constant(connection, name) for name in CONSTANTS]
    for name, compiled in warehouse.compiled(home, FIGURES).items():
        parts.append(f"create or replace view {name} as\n{without_database(compiled)};\n")
    return "\n".join(parts)


def nothing(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """The rows of a table that has no file."""
    types = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where table_name = ? and database_name = current_database() order by column_index",
        [table.model],
    ).fetchall()
    columns = ", ".join(f"null::{kind} as {sql.identifier(name)}" for name, kind in types)
    return f"select {columns} where false"


def constant(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """A seed as a statement that makes it."""
    rows = connection.execute(f"from {name} order by all").fetchall()
    columns = ", ".join(sql.identifier(column[0]) for column in connection.description)
    values = ",\n".join(f"    ({', '.join(map(literal, row))})" for row in rows)
    return f"create or replace table {name} as\nfrom (values\n{values}\n) as rows ({columns});\n"


def literal(value) -> str:
    """A value of a seed as SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else sql.literal(value)


def without_database(compiled: str) -> str:
    """A compiled model that names relations as this file does."""
    text = re.sub(r'"\w+"\."main"\."(\w+)"', r"\1", compiled)
    # Where a model's settings stood.
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@contextmanager
def opened(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which each query of the folder's file is a view over the folder's files.

    A folder may come from anywhere: its queries define views and tables, and reach no file outside
    of it. Raises ValueError where they do anything else.
    """
    text = (folder / NAME).read_text(encoding="utf-8")
    if any(
        statement.type != duckdb.StatementType.CREATE
        for statement in duckdb.extract_statements(text)
    ):
        raise ValueError(f"{NAME} does more than to define views and tables")
    connection = duckdb.connect()
    try:
        # A path that is a pattern is written in two ways.
        allowed = f"[{sql.literal(folder)}, {sql.file_literal(folder)}]"
        connection.execute(f"set allowed_directories = {allowed}")
        connection.execute("set enable_external_access = false")
        # Sums of the same numbers in another order are other numbers.
        connection.execute("set threads = 1")
        connection.execute(f"set variable folder = {sql.file_literal(folder)}")
        connection.execute("set lock_configuration = true")
        connection.execute(text)
        yield connection
    finally:
        connection.close()
