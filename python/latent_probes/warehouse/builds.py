"""Build and test the warehouse, limited to what changed since the last build."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import duckdb

from latent_probes import landing
from latent_probes.common import locks, terminal
from latent_probes.common.home import BusyError, Home, locked
from latent_probes.warehouse import plain_sql, project_vars, seeds, started_rounds
from latent_probes.warehouse.compilation import CompiledProject, Node, compiled_project
from latent_probes.warehouse.errors import REMEDY, WarehouseError, not_built
from latent_probes.warehouse.opening import holder
from latent_probes.warehouse.seed_files import Seed
from latent_probes.warehouse.stamps import is_current, stamp, stamped, state
from latent_probes.warehouse.versions import Versions

Returned = TypeVar("Returned")

TESTS_BEFORE_SPENDING = (
    "rounds_share_no_document",
    "open_or_answered_requests_are_not_pending",
    "no_request_is_asked_too_often",
    "committed_spend_covers_every_attempt",
)

# Models that a run reads before it sends requests.
ASKED_FROM = (
    *("pending_prices", "committed_spend", "round_documents"),
    *("generator_inputs", "answerer_inputs", "judge_inputs"),
    *TESTS_BEFORE_SPENDING,
)


def build(home: Home, *, tested: bool) -> None:
    """Bring the warehouse up to date; with ``tested``, also run all data tests.

    Does nothing if neither the landing file nor the project has changed since the last build. Makes
    only the tables, and runs only the tests, of which something that they read has changed. Raises
    ProjectError if the project is invalid, BusyError while another command uses the home, and
    WarehouseError if a model cannot be built or a test fails.
    """
    refuse_invalid(home)
    if is_current(home, tested=tested):
        return
    with locked(home):
        if not is_current(home, tested=False):
            # Taken before the build: changes made meanwhile belong to the next build.
            built_of = state(home)
            update(home, None, "building")
            stamp(home, built_of, tested=False)
        if tested and not is_current(home, tested=True):
            test(home, None, "testing")
            if noted := stamped(home):
                stamp(home, noted["state"], tested=True)


def build_if_free(home: Home) -> str | None:
    """Bring the warehouse up to date, unless another process is in the way: return which.

    Waits for nothing.
    """
    refuse_invalid(home)
    if is_current(home, tested=False):
        return None
    try:
        with locked(home):
            if home.warehouse.exists() and (who := holder(home)):
                return f"{home.warehouse} is open in {who}"
            build(home, tested=False)
    except BusyError as busy:
        return busy.holder
    return None


def refuse_invalid_files(home: Home) -> dict[str, Seed]:
    """Raise ProjectError if a var or a line of a seed is invalid; else return the seeds."""
    project_vars.refuse_invalid_vars(home.project)
    return seeds.refuse_invalid_seeds(home.project)


def refuse_invalid(home: Home) -> None:
    """Raise ProjectError also if the line of a started round was edited."""
    started_rounds.refuse_edits(home, refuse_invalid_files(home)["rounds"])


def build_before_run(home: Home) -> None:
    """Update the models that a run reads before it sends requests; reports follow after the run."""
    build_part(home, ASKED_FROM, "updating the queue")


def build_part(home: Home, names: Iterable[str], what: str = "building what is read") -> None:
    """Update these tables and what they need; the next complete build makes all others."""
    refuse_invalid(home)
    if not is_current(home, tested=False):
        update(home, names, what)


def build_queue(home: Home) -> None:
    """Update the queue with the responses that landed since the last build."""
    update(home, ASKED_FROM, "updating the queue")


def test_queue(home: Home) -> None:
    """Run the tests that must pass before money is spent; raise WarehouseError if one fails."""
    test(home, TESTS_BEFORE_SPENDING, "testing rounds and queue")


def update(home: Home, names: Iterable[str] | None, what: str) -> None:
    """Make what these nodes need and would change (default: all)."""
    with locked(home):
        project = compiled_project(home)
        chosen = project.nodes.keys() if names is None else project.needed_for(names)
        nodes = [node for node in project.nodes.values() if node.name in chosen]
        with (
            known(home, project) as (versions, connection),
            futures.ThreadPoolExecutor(1) as worker,
            terminal.progress(what, len(nodes), "tables") as advance,
        ):
            for node in nodes:
                if not versions.are_those_of(node):
                    made_of = versions.of(node)
                    versions.forget(node)
                    with named(home, node):
                        interruptible(worker, plain_sql.make, connection, project, node)
                    versions.note(node, made_of, connection)
                advance(1)


def test(home: Home, names: Iterable[str] | None, what: str) -> None:
    """Run these data tests (default: all), unless they have passed on what they would read.

    Prints a test that only warns. Raises WarehouseError if another one fails.
    """
    failures = []
    with locked(home):
        project = compiled_project(home)
        with (
            known(home, project) as (versions, connection),
            futures.ThreadPoolExecutor(1) as worker,
        ):
            chosen = [
                project.tests[name] for name in project.tests if names is None or name in names
            ]
            due = [node for node in chosen if not versions.are_those_of(node)]
            with terminal.progress(what, len(due), "tests") as advance:
                for node in due:
                    with named(home, node):
                        failure = interruptible(worker, plain_sql.check, connection, node)
                    if failure is None:
                        versions.note(node, versions.of(node), connection)
                    elif node.warns:
                        terminal.say(failure)
                    else:
                        failures.append(failure)
                    advance(1)
    if failures:
        raise WarehouseError("\n".join(["tests of the warehouse failed:", *failures]))


def interruptible(
    worker: futures.Executor,
    step: Callable[..., Returned],
    connection: duckdb.DuckDBPyConnection,
    *arguments: Any,
) -> Returned:
    """Call ``step(connection, *arguments)`` so that Ctrl-C ends it, whatever its statement does."""
    # In the main thread, DuckDB looks for signals only between parts of its work.
    try:
        return worker.submit(step, connection, *arguments).result()
    except KeyboardInterrupt:
        connection.interrupt()
        raise


@contextmanager
def named(home: Home, node: Node) -> Iterator[None]:
    """Raise an error of DuckDB as a WarehouseError that names a node."""
    try:
        yield
    except duckdb.Error as error:
        raise not_built(home, [f"{node.name} ({node.path}): {error}"]) from error


@contextmanager
def known(
    home: Home, project: CompiledProject
) -> Iterator[tuple[Versions, duckdb.DuckDBPyConnection]]:
    """What each table was made of, and a connection that writes the warehouse."""
    # After the warehouse was closed, whose state is noted.
    with ExitStack() as once_closed, writing(home) as (connection, landed):
        versions = Versions(home, project, landed)
        once_closed.callback(versions.save)
        yield versions, connection


@contextmanager
def writing(home: Home) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """A connection that writes the warehouse, and the contents of the landing file, attached to it.

    Waits while another process has the warehouse open. Raises WarehouseError, which names it, or if
    the file cannot be opened.
    """
    settings = {"memory_limit": plain_sql.memory_limit()}
    with ExitStack() as stack:
        connection = locks.opened_when_free(
            home.warehouse,
            lambda: stack.enter_context(plain_sql.connected(home.warehouse, settings)),
            WarehouseError,
            REMEDY,
        )
        # Left by a build that was killed: up to several GB.
        shutil.rmtree(f"{home.warehouse}.tmp", ignore_errors=True)
        landing.attach(connection, home.landing)
        # Where it is attached: a file that a process opens elsewhere, too, is no longer locked once
        # it is closed there.
        yield connection, landing.contents_of(connection, "landing")
