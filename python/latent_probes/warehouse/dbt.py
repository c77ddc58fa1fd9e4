"""Have dbt compile the project, in this process."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dbt.cli.main import dbtRunner

from latent_probes.common import terminal
from latent_probes.common.home import VARIABLE, Home, path_for_dbt
from latent_probes.warehouse.errors import not_built

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg


class Compiler:
    """Compiles a project, which dbt reads once; a context, in which the home is dbt's."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stack = ExitStack()
        self.manifest: Any = None

    def __enter__(self) -> Compiler:
        with self.stack as stack:
            stack.enter_context(environment(VARIABLE, path_for_dbt(self.home)))
            stack.enter_context(without_collector())
            self.was_interrupted = stack.enter_context(interrupts_kept())
            stack.callback(close_connections)
            self.manifest = self.invoke("parse")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def compiled(self, selectors: Iterable[str], options: Iterable[str]) -> list[Any]:
        """The nodes that selectors of dbt name, with their compiled statements."""
        chosen = ["--select", *selectors, "--indirect-selection", "empty"]
        found = [result.node for result in self.invoke("compile", *options, *chosen)]
        close_connections()
        return found

    def invoke(self, *arguments: str) -> Any:
        """The result of a command of dbt. Raises WarehouseError if it fails."""
        with terminal.progress("dbt: compiling the project", None, "nodes") as advance:

            def follow(event: EventMsg) -> None:
                if event.info.name == "ConcurrencyLine":
                    advance.expect(event.data.node_count)
                elif event.info.name == "NodeFinished":
                    advance(1)

            outcome = dbtRunner(callbacks=[follow], manifest=self.manifest).invoke(
                [
                    *arguments,
                    "--quiet",
                    "--no-write-json",
                    *("--log-level", "none"),
                    *("--project-dir", str(self.home.project)),
                    *("--profiles-dir", str(self.home.project)),
                    *("--target-path", str(self.home.folder / "target")),
                    *("--log-path", str(self.home.folder / "logs")),
                ]
            )
        if self.was_interrupted() or isinstance(outcome.exception, KeyboardInterrupt):
            raise KeyboardInterrupt
        if not outcome.success:
            raise not_built(self.home, messages_of(outcome))
        return outcome.result


def messages_of(outcome: Any) -> list[str]:
    """Why dbt failed, a message each."""
    if outcome.exception is not None:
        return [str(outcome.exception)]
    return [
        f"{result.node.name} ({result.node.original_file_path}): {result.message}"
        for result in outcome.result
        if result.status in ("error", "runtime error")
    ]


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
