"""Run dbt in this process, and read the SQL that it compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from latent_probes.common import terminal
from latent_probes.common.home import Home

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg


class WarehouseError(Exception):
    """dbt failed; the message gives the node and the reason."""


def call_dbt(home: Home, arguments: list[str], what: str) -> None:
    """Run dbt with ``arguments``; raise WarehouseError with what failed."""
    with without_collector():
        # Importing dbt takes seconds.
        from dbt.cli.main import dbtRunner

        with terminal.progress(f"dbt: {what}", None, "nodes") as advance:
            failing_rows: list[str] = []

            def follow(event: EventMsg) -> None:
                if event.info.name == "NodeFinished":
                    advance(1)
                elif event.info.name == "JinjaLogInfo":
                    failing_rows.append(event.data.msg)

            outcome = dbtRunner(callbacks=[follow]).invoke(
                [
                    *arguments,
                    "--quiet",
                    # Artifacts for other tools: writing them takes a sixth of a build.
                    "--no-write-json",
                    "--log-level",
                    "none",
                    "--project-dir",
                    str(home.project),
                    "--profiles-dir",
                    str(home.project),
                    "--target-path",
                    str(home.folder / "target"),
                    "--log-path",
                    str(home.folder / "logs"),
                ]
            )
    close_connections()
    if outcome.success:
        return
    if outcome.exception is not None:
        raise WarehouseError(f"dbt failed: {outcome.exception}")
    failures = [
        f"{result.node.name} ({result.node.original_file_path}): {result.message}"
        for result in outcome.result
        if result.status in ("error", "fail", "runtime error")
    ]
    raise WarehouseError("dbt failed:\n" + "\n".join(failures + failing_rows))


@contextmanager
def without_collector() -> Iterator[None]:
    """Disable the garbage collector: dbt keeps its objects to the end, and collecting costs 8 %."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def close_connections() -> None:
    """Close the files that dbt opened, which it would keep open for the life of the process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    # `env` raises if dbt never connected, in which case there is nothing to close.
    with suppress(Exception):
        DuckDBConnectionManager.env().close()
    DuckDBConnectionManager.close_all_connections()


def compiled(home: Home, models: Iterable[str]) -> dict[str, str]:
    """The SQL of models, as compiled by the last build, by name."""
    folder = home.folder / "target" / "compiled" / "latent_probes" / "models"

    def found() -> dict[str, str]:
        texts = {path.stem: path for path in folder.rglob("*.sql")}
        return {name: texts[name].read_text() for name in models}

    try:
        return found()
    except KeyError:
        # The folder has been cleaned since.
        call_dbt(home, ["compile", "--select", *models], "compiling")
        return found()
