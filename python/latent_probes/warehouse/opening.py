"""Read the warehouse and the settings of its project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from latent_probes import landing
from latent_probes.common import locks, sql
from latent_probes.common.home import Home
from latent_probes.warehouse import project_vars
from latent_probes.warehouse.errors import REMEDY, WarehouseError


@contextmanager
def opened(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the warehouse, in which tables need no database name.

    Waits while another process writes it. Raises WarehouseError if it cannot be opened.
    """
    connection = locks.opened_when_free(
        home.warehouse,
        lambda: duckdb.connect(str(home.warehouse), read_only=True),
        WarehouseError,
        REMEDY,
    )
    try:
        yield connection
    finally:
        connection.close()


def settings(home: Home) -> dict:
    """The dbt vars of the project."""
    return project_vars.settings(home.project)


def is_calibration(home: Home) -> bool:
    """Whether this is a calibration's home, whose probes are never published."""
    with landing.looked_at(home.landing) as connection:
        return bool(landing.stated_levels(connection))


def attach(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Attach the warehouse for reading, waiting while another process writes it."""
    statement = f"attach {sql.literal(home.warehouse)} as warehouse (read_only)"
    locks.opened_when_free(
        home.warehouse, lambda: connection.execute(statement), WarehouseError, REMEDY
    )


def holder(home: Home) -> str | None:
    """The process that has the warehouse open, if one does."""
    try:
        duckdb.connect(str(home.warehouse)).close()
    except duckdb.Error as error:
        return locks.holder(error)
    return None
