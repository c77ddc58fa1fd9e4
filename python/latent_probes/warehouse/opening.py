"""Read the warehouse and the settings of its project."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from latent_probes import landing
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.warehouse.dbt import WarehouseError


@contextmanager
def opened(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the warehouse, in which tables need no database name."""
    connection = duckdb.connect(str(home.warehouse), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def settings(home: Home) -> dict:
    """The dbt vars of the project."""
    import yaml

    project = yaml.safe_load((home.project / "dbt_project.yml").read_text())
    return project["vars"]["latent_probes"]


def is_calibration(home: Home) -> bool:
    """Whether this is a calibration's home, whose probes are never published."""
    with landing.opened(home.landing) as connection:
        return bool(landing.stated_levels(connection))


def attach(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Attach the warehouse for reading, waiting while another process writes it."""
    deadline = time.monotonic() + landing.LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute(f"attach {sql.literal(home.warehouse)} as warehouse (read_only)")
            return
        except duckdb.IOException as error:
            if time.monotonic() > deadline:
                raise WarehouseError(
                    f"{home.warehouse} is locked by another process; stop it and run again. {error}"
                ) from error
            time.sleep(0.2)
