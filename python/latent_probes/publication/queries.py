"""The card's figures as SQL over the published files: compiled models of the warehouse.

The same SQL defines the warehouse's tables, the card's figures, and the published queries.sql with
which anyone can reproduce them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from latent_probes.common import limits, sql
from latent_probes.publication import strangers
from latent_probes.publication.tables import Table, paths

NAME = "queries.sql"
# Seeds that the figures read.
CONSTANTS = ("score_bins", "slot_kinds", "published_columns", "published_tables")
# Models over published tables, constants and earlier figures, in this order.
FIGURES = (
    "scored_probes",
    "totals",
    "scope_summary",
    "origin_summary",
    "score_histogram",
    "typicality_splits",
    "rejection_summary",
    "unscored_summary",
    "model_summary",
    "answer_formats",
    "arm_summary",
    "baseline_rounds",
    "replayed_rounds",
    "example_probe",
    "flattened",
)
HEAD = """\
-- Every figure of the card, as a view over the Parquet files next to this one. In this folder:
--
--     duckdb -init queries.sql -c "from scope_summary"
--
-- From anywhere else, set the folder before reading this file:
--
--     set variable folder = 'somewhere/probes';
--     .read somewhere/probes/queries.sql
"""


def text(
    connection: duckdb.DuckDBPyConnection, published: list[Table], compiled: dict[str, str]
) -> str:
    """The text of queries.sql: published tables, constants, and the compiled models of figures."""
    parts = [HEAD]
    views = {table.model: sql.identifier(table.config) for table in published}
    for table in published:
        rows = f"from read_parquet(coalesce(getvariable('folder'), '.') || '/{table.pattern}')"
        if not paths(connection, table):
            rows = nothing(connection, table)
        view = views[table.model]
        parts.append(f"-- {table.meaning}\ncreate or replace view {view} as\n{rows};\n")
    parts += [constant(connection, name) for name in CONSTANTS]
    for name, statement in compiled.items():
        text = without_database(statement, views)
        parts.append(f"create or replace view {name} as\n{text};\n")
    return "\n".join(parts)


def nothing(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """SQL for an empty table, for a table without files."""
    types = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where table_name = ? and database_name = current_database() order by column_index",
        [table.model],
    ).fetchall()
    columns = ", ".join(f"null::{kind} as {sql.identifier(name)}" for name, kind in types)
    return f"select {columns} where false"


def constant(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """SQL that creates the table of a seed, without names of models, which are those of configs."""
    rows = connection.execute(
        f"select columns(lambda name: name != 'model') from {name} order by all"
    ).fetchall()
    columns = ", ".join(sql.identifier(column[0]) for column in connection.description)
    values = ",\n".join(f"    ({', '.join(map(literal, row))})" for row in rows)
    return f"create or replace table {name} as\nfrom (values\n{values}\n) as rows ({columns});\n"


def literal(value: str | float | bool | None) -> str:
    """A value of a seed as an SQL literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else sql.literal(value)


def without_database(compiled: str, views: dict[str, str] | None = None) -> str:
    """A compiled model without database and schema in the names of relations.

    ``views`` maps models to the names of their views, as SQL, where these are others.
    """
    text = re.sub(
        r'"\w+"\."main"\."(\w+)"', lambda found: (views or {}).get(found[1], found[1]), compiled
    )
    # Left by the model's config block.
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@contextmanager
def opened(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which each query of queries.sql is a view over the folder's files.

    The folder can come from anyone: its queries can only define views and tables, and cannot read
    files outside of it. Raises ValueError if they contain any other statement.
    """
    text = strangers.text_of(folder / NAME)
    if not all(map(is_definition, duckdb.extract_statements(text))):
        raise ValueError(f"{NAME} contains statements other than create view and create table")
    connection = duckdb.connect()
    try:
        # Needed in both spellings if the path contains wildcards.
        allowed = f"[{sql.literal(folder)}, {sql.file_literal(folder)}]"
        connection.execute(f"set allowed_directories = {allowed}")
        connection.execute(f"set memory_limit = '{limits.QUERY_MEMORY}'")
        # What does not fit into memory must not be written to the disk.
        connection.execute("set temp_directory = ''")
        connection.execute("set python_enable_replacements = false")
        connection.execute("set enable_external_access = false")
        connection.execute("set enable_progress_bar = false")
        # The order of summation changes the last digits.
        connection.execute("set threads = 1")
        connection.execute(f"set variable folder = {sql.file_literal(folder)}")
        connection.execute("set lock_configuration = true")
        connection.execute(text)
        yield connection
    finally:
        connection.close()


def is_definition(statement: duckdb.Statement) -> bool:
    """Whether a statement defines a view or a table, and not, for example, a secret."""
    # A comment ends where DuckDB ends it.
    definition = r"(?:\s|--[^\n\r]*[\n\r])*create or replace (?:view|table)\b"
    return statement.type == duckdb.StatementType.CREATE and bool(
        re.match(definition, statement.query)
    )
