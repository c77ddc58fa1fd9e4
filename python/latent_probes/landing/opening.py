"""Open the landing file, exclusively and in complete transactions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from latent_probes.common import locks, sql
from latent_probes.landing.tables import TABLES, UPGRADES, VERSION

# Tables that no model reads, and long columns.
UNREAD = ["claims", "landing_version"]
TEXTS = [
    *("prefix", "continuation", "body", "unit_map", "answer", "line", "text"),
    *("doc", "probes", "continuations", "answers"),
]
REMEDY = "if the file is damaged, restore a copy of it"
WRITTEN_VERSION = "select max(version) from landing_version"
TABLE_NAMES = re.findall(r"create table if not exists (\w+)", TABLES)
# Gives the version, and fails where a table is missing or a view, which has no rowid. Listing the
# tables takes three times as long: for that, DuckDB first creates all views of its own.
EVERY_TABLE = " union all ".join(
    [
        "(select max(version) from {prefix}landing_version)",
        *(f"(select rowid from {{prefix}}{name} limit 0)" for name in TABLE_NAMES),
    ]
)
VIEWS = "select view_name from duckdb_views() where list_contains(?, view_name) order by all"


class LandingError(Exception):
    """The landing file cannot be used; the message gives the reason and the remedy."""


def connect(path: Path, timeout_seconds: float | None = None) -> duckdb.DuckDBPyConnection:
    """Open the landing file for writing, waiting while another process has it open.

    Raises LandingError if it is still locked after ``timeout_seconds``, is not a DuckDB file,
    or was written by a newer version of latent-probes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = locks.opened_when_free(
        path, lambda: duckdb.connect(str(path)), LandingError, REMEDY, timeout_seconds
    )
    try:
        create_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def create_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create missing tables and upgrade older ones; refuse a file of a newer version."""
    if is_complete(connection):
        return
    try:
        (version,) = one(connection, WRITTEN_VERSION)
    except duckdb.CatalogException:
        with transaction(connection):
            connection.execute(TABLES)
            connection.execute("insert into landing_version values (?)", [VERSION])
        return
    if version is None or version > VERSION or version < min(UPGRADES):
        raise LandingError(
            f"{path} has version {version}, but this latent-probes reads only versions "
            f"{min(UPGRADES)} to {VERSION}: install the version that wrote it"
        )
    # A file of this version can also lack a table that was added before its release.
    with transaction(connection):
        connection.execute(TABLES)
        for older in range(version, VERSION):
            connection.execute(UPGRADES[older])
        if version < VERSION:
            connection.execute("update landing_version set version = ?", [VERSION])
        # "If not exists" is content with a view.
        if views := [name for (name,) in connection.execute(VIEWS, [TABLE_NAMES]).fetchall()]:
            raise LandingError(f"in {path}, {' and '.join(views)} must be a table; {REMEDY}")


def prepare(path: Path) -> None:
    """Make sure that the landing file exists and is not locked."""
    connect(path).close()


@contextmanager
def looked_at(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection, which does not disturb other readers, closed at the end of the block.

    A file that is missing or of an earlier version is created or upgraded first.
    """
    connection = None
    if path.exists():
        connection = connect_to_read(path)
        if not is_complete(connection):
            connection.close()
            connection = None
    if connection is None:
        prepare(path)
        connection = connect_to_read(path)
    try:
        yield connection
    finally:
        connection.close()


def connect_to_read(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the landing file read-only, waiting while another process writes it."""
    return locks.opened_when_free(
        path, lambda: duckdb.connect(str(path), read_only=True), LandingError, REMEDY
    )


def attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a landing file as ``landing``, read-only, waiting while another process writes it.

    A file that is missing or of an earlier version is created or upgraded first.
    """
    statement = f"attach {sql.literal(path)} as landing (read_only)"

    def attached() -> None:
        locks.opened_when_free(path, lambda: connection.execute(statement), LandingError, REMEDY)

    if path.exists():
        attached()
        if is_complete(connection, "landing."):
            return
        connection.execute("detach landing")
    prepare(path)
    attached()


def is_complete(connection: duckdb.DuckDBPyConnection, prefix: str = "") -> bool:
    """Whether a file has all tables of this version. ``prefix``: that of its name, if attached."""
    try:
        return one(connection, EVERY_TABLE.format(prefix=prefix)) == (VERSION,)
    except (duckdb.CatalogException, duckdb.BinderException):
        return False


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the landing file, closed at the end of the block."""
    connection = connect(path)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def only_if_it_succeeds(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same, but a landing file that did not exist is removed if the block fails."""
    is_new = not path.exists()
    with ExitStack() as once_closed, opened(path) as connection:
        try:
            yield connection
        except BaseException:
            if is_new:
                for left in (path, path.with_name(f"{path.name}.wal")):
                    once_closed.callback(left.unlink, missing_ok=True)
            raise


def contents(path: Path) -> dict[str, str]:
    """Fingerprints of the tables, to detect changes: number of rows and the sum of their hashes.

    The last value is in the hash of a row by an exclusive or: by another one over the rows, equal
    changes of two rows would cancel. Texts are not hashed, since they are never rewritten; those of
    an adopted data set are in the hash of its manifest, which all of its tables have.
    """
    with looked_at(path) as connection:
        return contents_of(connection)


def contents_of(
    connection: duckdb.DuckDBPyConnection, database: str | None = None
) -> dict[str, str]:
    """The same of the file that is open, or that is attached as ``database``."""
    columns = connection.execute(
        """
        select database_name, table_name, list(column_name order by column_index)
        from duckdb_columns()
        where not internal and database_name = coalesce($database, current_database())
        and not list_contains($unread, table_name) and not list_contains($texts, column_name)
        group by all
        order by table_name
        """,
        {"database": database, "unread": UNREAD, "texts": TEXTS},
    ).fetchall()
    tables = {
        table: f"{sql.identifier(name)}.{sql.identifier(table)}" for name, table, _ in columns
    }
    adopted = first(connection, f"select manifest_sha256 from {tables['adopted_sets']}") or ("",)
    # In one statement, which takes half as long as one for each table.
    counted = connection.execute(
        " union all ".join(
            f"(select {sql.literal(table)}, count(*), "
            f"sum(hash({', '.join(map(sql.identifier, names))})) from {tables[table]})"
            for _, table, names in columns
        )
    ).fetchall()
    return {
        table: f"{n_rows} {digest} {adopted[0] if table.startswith('adopted_') else ''}".strip()
        for table, n_rows, digest in counted
    }


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run all statements of the block, or none of them."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def first(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: list[Any] | dict[str, Any] | None = None,
) -> tuple[Any, ...] | None:
    """The first row of a query, or None; reads the rest, as the connection requires."""
    rows = connection.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def one(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: list[Any] | dict[str, Any] | None = None,
) -> tuple[Any, ...]:
    """The only row of a query."""
    (row,) = connection.execute(query, parameters).fetchall()
    return row
