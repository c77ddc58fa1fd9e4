"""Complete projects to run commands in: a copy of the checkout with a separate home."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import msgpack
import pytest
from _pytest.mark.expression import Expression
from filelock import FileLock
from hypothesis import settings
from scripted_server import ScriptedServer

from latent_probes.common.home import Home
from latent_probes.warehouse import compilation, functions
from latent_probes.warehouse.functions import units

# The same examples in every run; `--hypothesis-profile=exploring` draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("exploring", deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
HOME = "demo"
FORKED = ("latent-probes", "impatient", "dying", "dbt")
# What dbt has read and compiled of the project, which would take each test 20 seconds.
PLAIN = Path("target") / "plain"
READ_BY_DBT = PLAIN / "compiling" / "target"
PROJECT_FILES = (
    *("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "sample"),
    *("Makefile", "pyproject.toml", "requirements.lock"),
)

# A worker takes whole files. The first makes the demo; the next three need none, so that the other
# worker does not wait for it. Then the longest come, so that none is left alone with one of them.
FIRST = (
    *("test_readme", "test_landing", "test_batches", "test_rollout_files"),
    *("test_anthropic_rounds", "test_rounds", "test_oracles", "test_frozen_settings"),
    *("test_failures", "test_calibration", "test_publication", "test_push", "test_table_files"),
    *("test_repair", "test_controls", "test_crashes", "test_batch_faults"),
    *("test_score_local", "test_activations", "test_planted_violations"),
)


# What all tests of a file are marked with.
MARKED = re.compile(r"^pytestmark = pytest\.mark\.(\w+)$", re.MULTILINE)


def pytest_ignore_collect(collection_path, config):
    """Leave out files of which no test is selected: to import what they need takes long."""
    selection = config.option.markexpr
    if not selection or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    if not (marked := MARKED.search(text)):
        return None
    # Any of its tests can have these markers, too.
    others = set(re.findall(r"pytest\.mark\.(\w+)", text)) & set(re.findall(r"\w+", selection))
    selects = Expression.compile(selection).evaluate
    for n_others in range(len(others) + 1):
        for names in itertools.combinations(others, n_others):
            if selects(lambda name, names=(marked[1], *names): name in names):
                return None
    return True


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Only an extra that is not installed is a reason to skip a file: not a module of ours."""
    report = yield
    if report.skipped and "is not installed" not in str(report.longrepr):
        report.outcome = "failed"
    return report


def pytest_collection_modifyitems(items):
    """Order the files; within a file the tests stay as they are."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@dataclass(frozen=True)
class Checkout:
    """A copy of the project, and how to use it as a person would."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def talking_to(self, server) -> Checkout:
        """The same checkout, used by a person who has a key of that service."""
        address = {"ANTHROPIC_BASE_URL": server.address, "ANTHROPIC_API_KEY": server.key}
        return replace(self, variables=self.variables | address)

    def reading_from(self, hub) -> Checkout:
        """The same checkout, used by a person whose Hub is that one."""
        settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(self.folder / "hub-client")}
        return replace(self, variables=self.variables | settings)

    @property
    def home(self) -> Path:
        """Where its files lie."""
        return self.folder / HOME

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a person who keeps the files where the demo does."""
        outside = {
            name: value
            for name, value in os.environ.items()
            if "ANTHROPIC" not in name and not name.startswith("HF_")
        }
        return outside | {
            "LATENT_PROBES_HOME": HOME,
            # For dbt itself; what it has parsed lies where the commands find it.
            "DBT_TARGET_PATH": str(self.folder / READ_BY_DBT),
            "DBT_LOG_PATH": f"{HOME}/logs",
            "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
            **self.variables,
        }

    def start(self, *command: str, stderr: int = subprocess.STDOUT) -> subprocess.Popen:
        """Start a command and do not wait for it."""
        if command[0] == "impatient":
            command = (sys.executable, str(Path(__file__).with_name("impatient.py")), *command[1:])
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def ends(self, *command: str) -> tuple[int, str]:
        """Run a command to its end; return its exit status and what it said."""
        if command[0] in FORKED:
            return self.ends_forked(command)
        process = self.start(*command)
        output, _ = process.communicate(timeout=1200)
        return process.returncode, output

    def ends_forked(self, command: tuple[str, ...]) -> tuple[int, str]:
        """The same without importing all packages again, which takes seconds."""
        server = forking_server()
        order = {"command": command, "folder": str(self.folder)}
        print(json.dumps(order | {"environment": self.environment}), file=server.stdin, flush=True)
        status, output = json.loads(server.stdout.readline())
        return status, output

    def fails(self, *command: str) -> str:
        """Run a command that must fail; return what it said."""
        status, output = self.ends(*command)
        assert status != 0, output
        return output

    def runs(self, *command: str) -> str:
        """Run a command that must succeed; return what it said."""
        status, output = self.ends(*command)
        assert status == 0, output
        return output

    def query(self, query: str, file: str = "warehouse", values: dict | None = None) -> list[tuple]:
        """The rows of a query on a file of the home."""
        connection = duckdb.connect(str(self.home / f"{file}.duckdb"), read_only=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def change(self, *statements: str) -> None:
        """Change the warehouse by hand, with the landing file attached."""
        connection = duckdb.connect(str(self.home / "warehouse.duckdb"))
        try:
            connection.execute(f"attach '{self.home / 'landing.duckdb'}' as landing")
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()

    def set_rounds(self, *lines: str) -> None:
        """Write seeds/rounds.csv anew."""
        rounds = self.folder / "seeds" / "rounds.csv"
        rounds.write_text(rounds.read_text().splitlines()[0] + "\n")
        for line in lines:
            self.add_round(line)

    def add_round(self, line: str) -> None:
        """Append a line to seeds/rounds.csv."""
        with (self.folder / "seeds" / "rounds.csv").open("a") as file:
            file.write(f"{line}\n")


@functools.cache
def forking_server() -> subprocess.Popen:
    """What runs the commands of this process's tests; it ends with this process."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forked_commands.py"))],
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def unit_map_of(texts, prefix_length=0) -> list[dict]:
    """The map of a generator request that shows these texts as d1, d2, …

    They can be split anywhere, with three sentences on each side.
    """

    def spans(found) -> list[dict]:
        return [{"starts_at": start, "ends_at": end} for start, end in found]

    unit_map = []
    for number, text in enumerate(texts, start=1):
        found = list(units.proper_sentence_spans(text, units.sentence_spans(text, "en")))
        sentences = spans(found)
        unit_map.append(
            {
                "label": f"d{number}",
                "prefix_length": prefix_length,
                "can_be_chosen": len(sentences) - 3 >= 4,
                "splits": {
                    group: list(range(3 + (group == "word_lens"), len(sentences) - 2))
                    for group in (
                        "word_lens",
                        "sentence",
                        "paragraph_suffix",
                        "paragraph_prefix",
                        "whole_suffix",
                        "whole_prefix",
                    )
                },
                "sentences": sentences,
                "paragraphs": spans(
                    units.proper_paragraph_spans(units.paragraph_spans(text), found)
                ),
            }
        )
    return unit_map


@functools.cache
def compiled_project() -> compilation.CompiledProject:
    """This project, compiled once for all tests and for later runs of them."""
    return compilation.compiled_project(Home(ROOT, ROOT / HOME))


@functools.cache
def manifest() -> dict:
    """What dbt has read of this project, as it keeps that for its next start."""
    compiled_project()
    read = (ROOT / READ_BY_DBT / "partial_parse.msgpack").read_bytes()
    # Values of types of its own, such as times, are not needed.
    return msgpack.unpackb(read, ext_hook=lambda *_: None)


def copy_of_compiled(source: Path, folder: Path) -> None:
    """Copy what dbt has read and compiled of a project."""
    project = compilation.compiled_project(Home(source, source / HOME))
    files = (
        project.folder.relative_to(source) / compilation.NODES,
        READ_BY_DBT / "partial_parse.msgpack",
    )
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / file, folder / file)


def copy_of_project(folder: Path) -> Checkout:
    """The project's files in a new folder."""
    copy_of_compiled(ROOT, folder)
    for name in PROJECT_FILES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "tests",
        folder / "tests",
        ignore=shutil.ignore_patterns("python", "__pycache__"),
    )
    # The warehouse's stamp covers the package's sources too.
    (folder / "python").symlink_to(ROOT / "python")
    # The environment that `make` would make.
    (folder / ".venv").symlink_to(COMMANDS.parent)
    return Checkout(folder)


def copy_for_the_baseline(folder: Path) -> Checkout:
    """The same, whose round is answered by the offline baseline and has no controls."""
    checkout = copy_of_project(folder)
    checkout.set_rounds("1,20,1,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    controls = folder / "seeds" / "round_controls.csv"
    controls.write_text(controls.read_text().splitlines()[0] + "\n")
    return checkout


def made_once(tmp_path_factory, run: str, name: str, make) -> Checkout:
    """A checkout that the first worker who needs it makes, for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    # A worker has a folder of its own in that of the run.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"{name}-{run}"
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            # Of a worker that failed here.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return Checkout(folder)


@pytest.fixture(scope="session")
def new_checkout():
    """Makes a fresh checkout of the baseline's round in a folder, with a home."""

    def make(folder: Path) -> Checkout:
        checkout = copy_for_the_baseline(folder)
        checkout.home.mkdir()
        return checkout

    return make


@pytest.fixture
def checkout(new_checkout, tmp_path) -> Checkout:
    """A fresh checkout in which nothing was done yet."""
    return new_checkout(tmp_path)


@pytest.fixture(scope="session")
def demo_once(tmp_path_factory, testrun_uid) -> Checkout:
    """A checkout in which the demo was made, and what it printed. Not to be changed."""

    def demonstrate(folder: Path) -> None:
        checkout = copy_of_project(folder)
        # `make` must not think that the environment is older than the lock that was copied.
        printed = checkout.runs("make", "demo", "--assume-old=.venv/installed")
        (folder / "demo.txt").write_text(printed)

    return made_once(tmp_path_factory, testrun_uid, "demo", demonstrate)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory, testrun_uid) -> Checkout:
    """A checkout in which the baseline answered a round. Not to be changed."""

    def finish(folder: Path) -> None:
        checkout = copy_for_the_baseline(folder)
        checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
        checkout.runs("latent-probes", "run", "--provider", "lexical")
        checkout.runs("latent-probes", "export")

    return made_once(tmp_path_factory, testrun_uid, "finished", finish)


@pytest.fixture
def finished(finished_once, tmp_path) -> Checkout:
    """A copy of the finished checkout, to be changed."""
    return copy_of(finished_once, tmp_path / "checkout")


def copy_of(checkout: Checkout, folder: Path) -> Checkout:
    """A copy of a checkout that others use too, to be changed."""
    shutil.copytree(checkout.folder, folder, symlinks=True)
    return replace(checkout, folder=folder)


@contextlib.contextmanager
def warehouse_copy(checkout: Checkout, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of a checkout's warehouse and of its landing file, opened for writing."""
    for file in ("warehouse.duckdb", "landing.duckdb"):
        shutil.copy2(checkout.home / file, folder / file)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        functions.register(connection)
        connection.execute(f"attach '{folder / 'landing.duckdb'}' as landing")
        yield connection


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment in which the SDK of Anthropic finds a key and no other setting."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    return monkeypatch


@pytest.fixture
def scripted(environment):
    """Makes a server that answers by a function the one that is asked."""
    with contextlib.ExitStack() as servers:

        def serve(script) -> ScriptedServer:
            server = servers.enter_context(ScriptedServer(script))
            environment.setenv("ANTHROPIC_BASE_URL", server.address)
            return server

        yield serve
