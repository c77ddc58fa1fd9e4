"""Run dbt in this process, and read the SQL that it compiled."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import duckdb

from latent_probes import landing
from latent_probes.common import locks, terminal
from latent_probes.common.home import VARIABLE, Home, locked, path_for_dbt

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg

MAX_LINES = 4
MAX_LINE = 300
DAMAGED = "a file is damaged: restore landing.duckdb from a copy, or delete warehouse.duckdb"
REMEDY = "delete the file, and the next command builds it again"
# Messages of the engine that have one remedy, whatever was built.
REMEDIES = {
    locks.FULL_DISK: "the disk is full: free some space and run again",
    locks.FULL_TEMPORARY_FOLDER: "the disk is full: free some space and run again",
    "Could not read enough bytes": DAMAGED,
    "Corrupt database file": DAMAGED,
    "Out of Memory Error": "not enough memory: allow DuckDB more, as in LATENT_PROBES_MEMORY=8GB, "
    "or use a larger machine",
}
# The variable that profiles.yml reads, and its default in bytes.
MEMORY = "LATENT_PROBES_MEMORY"
DEFAULT_MEMORY = 3 * 10**9


class WarehouseError(Exception):
    """The warehouse cannot be built or read; the message gives the node and the reason."""


def call_dbt(home: Home, arguments: list[str], what: str) -> None:
    """Run dbt with ``arguments``; raise WarehouseError with what failed.

    Waits while another process has the warehouse open, and holds the lock of the home.
    """
    with locked(home):
        with landing.looked_at(home.landing):
            pass
        wait_to_write(home)
        # Left by a build that was killed: up to several GB.
        shutil.rmtree(f"{home.warehouse}.tmp", ignore_errors=True)
        with without_collector(), interrupts_kept() as was_interrupted:
            failing_rows: list[str] = []
            outcome = invoke(home, arguments, what, failing_rows)
        close_connections()
    if was_interrupted() or isinstance(outcome.exception, KeyboardInterrupt):
        raise KeyboardInterrupt
    if not outcome.success:
        raise WarehouseError(explained(home, outcome, failing_rows))


def invoke(home: Home, arguments: list[str], what: str, failing_rows: list[str]) -> Any:
    """Run dbt and return its outcome; adds the rows that fail a test to ``failing_rows``."""
    # Importing dbt takes seconds.
    from dbt.cli.main import dbtRunner

    with (
        terminal.progress(f"dbt: {what}", None, "nodes") as advance,
        environment(VARIABLE, path_for_dbt(home)),
        on_a_small_machine(),
    ):

        def follow(event: EventMsg) -> None:
            if event.info.name == "ConcurrencyLine":
                advance.expect(event.data.node_count)
            elif event.info.name == "NodeFinished":
                advance(1)
            elif event.info.name == "JinjaLogInfo":
                failing_rows.append(event.data.msg)

        return dbtRunner(callbacks=[follow]).invoke(
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


def wait_to_write(home: Home) -> None:
    """Make sure that the warehouse can be written: dbt would retry for minutes without a word.

    Waits while another process has it open. Raises WarehouseError, which names it.
    """
    locks.opened_when_free(
        home.warehouse,
        lambda: duckdb.connect(str(home.warehouse)).close(),
        WarehouseError,
        REMEDY,
    )


def explained(home: Home, outcome: Any, failing_rows: list[str]) -> str:
    """Why dbt failed, in a few lines; the complete messages are written to a file.

    ``failing_rows`` are rows that fail a test, each after the alias of its test.
    """
    messages, lines = [], ["dbt failed:"]
    if outcome.exception is not None:
        messages.append(str(outcome.exception))
        lines.append(shortened(messages[0]))
    else:
        for result in outcome.result:
            node = result.node
            if result.status == "fail":
                lines.append(
                    f"test {node.name} ({node.original_file_path}) fails for {result.failures:,} "
                    "rows, such as"
                )
                lines += [row for row in failing_rows if row.startswith(f"  {node.alias}: ")]
            elif result.status in ("error", "runtime error"):
                messages.append(f"{node.name} ({node.original_file_path}): {result.message}")
                lines.append(shortened(messages[-1]))
    for sign, remedy in REMEDIES.items():
        if any(sign in message for message in messages):
            return f"the warehouse was not built: {remedy}; landed data is kept"
    if messages:
        complete = home.folder / "logs" / "dbt-errors.txt"
        with suppress(OSError):
            complete.parent.mkdir(exist_ok=True)
            complete.write_text("\n\n".join(messages), encoding="utf-8")
            lines.append(f"complete messages: {complete}")
    return "\n".join(lines)


def shortened(message: str) -> str:
    """The first lines of a message, of bounded length."""
    lines = [line.strip()[:MAX_LINE] for line in message.splitlines() if line.strip()]
    return "\n  ".join(lines[:MAX_LINES])


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def on_a_small_machine() -> Iterator[None]:
    """Let DuckDB use half of the memory, where that is less than its limit in profiles.yml."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    if MEMORY in os.environ or half >= DEFAULT_MEMORY:
        yield
    else:
        with environment(MEMORY, f"{half // 10**6}MB"):
            yield


@contextmanager
def interrupts_kept() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C came, which dbt reports as a failed node."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: bool(came)
        return

    def note(number: int, frame: Any) -> None:
        came.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)


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
        return {name: texts[name].read_text(encoding="utf-8") for name in models}

    try:
        return found()
    except KeyError:
        # The folder has been cleaned since.
        call_dbt(home, ["compile", "--select", *models], "compiling")
        return found()
