"""Call dbt in this process, and read what it compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from contextlib import contextmanager, suppress

from latent_probes.common import terminal
from latent_probes.common.home import Home


class WarehouseError(Exception):
    """dbt failed; the message names what and why."""


def call_dbt(home: Home, arguments: list[str], what: str) -> None:
    """Run dbt with ``arguments``; raise WarehouseError with what failed."""
    with without_collector():
        # dbt takes seconds to import.
        from dbt.cli.main import dbtRunner

        with terminal.progress(f"dbt: {what}", None, "nodes") as advance:
            failing_rows: list[str] = []

            def follow(event) -> None:
                if event.info.name == "NodeFinished":
                    advance(1)
                elif event.info.name == "JinjaLogInfo":
                    failing_rows.append(event.data.msg)

            outcome = dbtRunner(callbacks=[follow]).invoke(
                [
                    *arguments,
                    "--quiet",
                    # Files for other tools: writing them takes a sixth of a build.
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
def without_collector():
    """Nobody looks for garbage: what dbt makes it needs to its end, and looking costs a twelfth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def close_connections() -> None:
    """Let go of the files that dbt opened; it would keep them as long as this process lives."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    # There is nothing to close, and `env` says so, where dbt came to no connection.
    with suppress(Exception):
        DuckDBConnectionManager.env().close()
    DuckDBConnectionManager.close_all_connections()


def compiled(home: Home, models: Iterable[str]) -> dict[str, str]:
    """The SQL of models, as the last build compiled it, by their names."""
    folder = home.folder / "target" / "compiled" / "latent_probes" / "models"

    def found() -> dict[str, str]:
        texts = {path.stem: path for path in folder.rglob("*.sql")}
        return {name: texts[name].read_text() for name in models}

    try:
        return found()
    except KeyError:
        # The folder was cleaned since.
        call_dbt(home, ["compile", "--select", *models], "compiling")
        return found()
