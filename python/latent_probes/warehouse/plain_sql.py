"""Run the compiled project in one DuckDB process, without dbt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from latent_probes import landing
from latent_probes.common import sql, terminal
from latent_probes.warehouse import functions
from latent_probes.warehouse.compilation import CompiledProject, Node
from latent_probes.warehouse.errors import WarehouseError

# The variable that profiles.yml reads, too, and its default in bytes.
MEMORY = "LATENT_PROBES_MEMORY"
DEFAULT_MEMORY = 3 * 10**9
# dbt's seeds.
CSV = "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false"
MAX_ROWS = 5
MAX_VALUE = 120


def memory_limit() -> str:
    """How much memory DuckDB may use: the environment's, or at most half of the machine's.

    Raises WarehouseError if the environment has no amount of memory there.
    """
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    limit = os.environ.get(MEMORY) or f"{min(half, DEFAULT_MEMORY) // 10**6}MB"
    if not re.fullmatch(r"\s*\d+(\.\d+)?\s*[KMGT]i?B\s*", limit, re.IGNORECASE):
        raise WarehouseError(f"{MEMORY} is {limit!r}, not an amount of memory such as 8GB")
    return limit


@contextmanager
def connected(warehouse: Path, settings: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse that is written, with the functions of the project.

    ``settings`` are DuckDB's, such as memory_limit. The file must be called ``warehouse.duckdb``:
    statements name the database.
    """
    connection = duckdb.connect(str(warehouse), config=settings)
    try:
        functions.register(connection)
        yield connection
    finally:
        connection.close()


def make(connection: duckdb.DuckDBPyConnection, project: CompiledProject, node: Node) -> None:
    """Make a seed or a model, whose parents exist.

    The landing file must be attached as ``landing``. Raises duckdb.Error if a statement fails.
    """
    name = sql.identifier(node.name)
    if node.news and columns_of(connection, f"from {name}") == columns_of(
        connection, node.statement
    ):
        with landing.transaction(connection):
            connection.execute(f"create or replace temp table news as ({node.news}\n)")
            key = ", ".join(map(sql.identifier, node.key))
            connection.execute(f"delete from {name} where ({key}) in (select ({key}) from news)")
            connection.execute(f"insert into {name} by name from news")
            for statement in node.followed_by:
                connection.execute(statement)
        connection.execute("drop table news")
        return
    kind, statement = node.kind, node.statement
    if kind == "seed":
        types = ", ".join(
            f"{sql.literal(column)}: {sql.literal(of)}" for column, of in node.columns.items()
        )
        file = sql.file_literal(project.seeds / f"{node.name}.csv")
        kind, statement = "table", f"from read_csv({file}, {CSV}, columns = {{{types}}})"
    elif node.columns:
        refuse_broken_contract(connection, node)
    statement = f"create or replace {kind} {name} as ({statement}\n)"
    try:
        connection.execute(statement)
    except duckdb.CatalogException:
        # It was of the other kind.
        other = "view" if kind == "table" else "table"
        connection.execute(f"drop {other} if exists {name}")
        connection.execute(statement)


def columns_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple] | None:
    """Names and types of the columns of a query; None if it reads a table that does not exist."""
    try:
        return [tuple(row[:2]) for row in connection.execute(f"describe {query}").fetchall()]
    except duckdb.CatalogException:
        return None


def refuse_broken_contract(connection: duckdb.DuckDBPyConnection, node: Node) -> None:
    """Raise duckdb.Error if a model has not the columns of its contract."""
    agreed = ", ".join(f"null::{of} as {sql.identifier(name)}" for name, of in node.columns.items())
    promised = columns_of(connection, f"select {agreed}") or []
    found = columns_of(connection, node.statement) or []
    for (name, of), (wanted, type_wanted) in zip(found, promised, strict=False):
        if (name, of) != (wanted, type_wanted):
            raise duckdb.InvalidInputException(
                f"column {name} is {of}, where the contract has {wanted} as {type_wanted}"
            )
    if len(found) != len(promised):
        raise duckdb.InvalidInputException(
            f"the model has {len(found)} columns, and its contract {len(promised)}"
        )


def check(connection: duckdb.DuckDBPyConnection, node: Node) -> str | None:
    """Run a data test; if it fails, return a message with some of the rows that fail."""
    if node.only_with:
        ((has_rows,),) = connection.execute(f"select exists (from {node.only_with})").fetchall()
        if not has_rows:
            return None
    ((n_failures,),) = connection.execute(
        f"select {node.failures} from ({node.statement}\n) as failed"
    ).fetchall()
    if not n_failures:
        return None
    lines = [f"test {node.name} ({node.path}) fails for {n_failures:,} rows, such as"]
    rows = connection.execute(f"from ({node.statement}\n) as failed limit {MAX_ROWS}")
    names = [column for column, *_ in rows.description]
    for row in rows.fetchall():
        values = [
            f"{name}: {terminal.shortened(str(value), MAX_VALUE)}"
            for name, value in zip(names, row, strict=True)
        ]
        lines.append(f"  {', '.join(values)}")
    return "\n".join(lines)
