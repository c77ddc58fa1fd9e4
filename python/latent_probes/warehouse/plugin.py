"""The dbt-duckdb plugin: dbt builds with the same functions, over a landing file of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from latent_probes import landing
from latent_probes.warehouse import functions


class Plugin(BasePlugin):
    """Creates the landing file before dbt attaches it, and registers the functions."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        # dbt-duckdb does not retry if an attached file is missing or locked.
        for attachment in creds.attach or []:
            with landing.looked_at(Path(attachment.path)):
                pass

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        functions.register(conn)
