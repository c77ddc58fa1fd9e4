"""Builds and tests of the warehouse without dbt, from SQL that dbt compiled once.

dbt takes 20 to 40 ms a node. Where a test is not about dbt, the statements that it compiled for the
finished checkout are run as they are, in the order of its graph, on the warehouse of another
checkout. What comes of them is the same: `test_plain_builds.py`. A checkout whose models, macros or
settings are others is built by dbt.

What reads only what is unchanged since it was made, or since it passed, is not run again.
"""

from __future__ import annotations

import filecmp
import functools
import graphlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import msgpack

from latent_probes import landing
from latent_probes.common import sql, terminal
from latent_probes.common.home import Home
from latent_probes.warehouse import WarehouseError, builds, call_dbt, functions

COMPILED_OF = ("models/**/*", "macros/**/*", "tests/*.sql", "tests/generic/*.sql", "seeds/*.yml")


KINDS = {"build": ("seed", "model"), "run": ("model",), "test": ("test",)}
# A process whose environment names the folder of a finished checkout builds like it.
VARIABLE = "TESTS_BUILT_LIKE"


def install(patch: Callable = setattr) -> None:
    """Let this process build as its environment has it."""
    if folder := os.environ.get(VARIABLE):
        patch(builds, "call_dbt", functools.partial(build, project(Path(folder))))


class PlainProject:
    """The graph of a project, and what dbt compiled of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "demo"
        self.target = self.home / "target"

    @functools.cached_property
    def manifest(self) -> dict:
        """What dbt read of the project, as it keeps it for its next start."""
        kept = self.target / "partial_parse.msgpack"
        # Values of types of its own, such as times, are not needed.
        return msgpack.unpackb(kept.read_bytes(), ext_hook=lambda *_: None)

    @functools.cached_property
    def nodes(self) -> dict[str, dict]:
        """Models, seeds, data tests and sources by their ids, each after what it depends on."""
        some = {
            key: node
            for key, node in (self.manifest["nodes"] | self.manifest["sources"]).items()
            if node["resource_type"] in ("model", "seed", "test", "source")
        }
        ordered = graphlib.TopologicalSorter({key: parents(some[key]) for key in some})
        return {key: some[key] for key in ordered.static_order() if key in some}

    @functools.cached_property
    def texts(self) -> dict[str, Path]:
        """The compiled statements, by the names of their files."""
        return {path.name: path for path in (self.target / "compiled").rglob("*.sql")}

    def text(self, node: dict) -> str:
        """The compiled statement of a node."""
        return self.texts[Path(node["path"]).name].read_text()

    def is_that_of(self, project: Path) -> bool:
        """Whether dbt would compile the same for another checkout."""
        if not filecmp.cmp(self.folder / "dbt_project.yml", project / "dbt_project.yml", False):
            return False
        for pattern in COMPILED_OF:
            ours, theirs = (
                {path.relative_to(folder) for path in folder.glob(pattern) if path.is_file()}
                for folder in (self.folder, project)
            )
            if ours != theirs or any(
                not filecmp.cmp(self.folder / path, project / path, False) for path in ours
            ):
                return False
        return True

    def chosen(self, command: str, arguments: list[str]) -> list[dict]:
        """The nodes that a command of dbt runs: with a node that is selected also its tests."""
        options: dict[str, list[str]] = {}
        values: list[str] = []
        for argument in arguments:
            if argument.startswith("--"):
                values = options.setdefault(argument, [])
            else:
                values.append(argument)
        wanted = self.named(options["--select"]) if "--select" in options else set(self.nodes)
        wanted -= self.named(options.get("--exclude", []))
        return [
            node
            for key, node in self.nodes.items()
            if node["resource_type"] in KINDS[command]
            and (key in wanted or (command == "test" and wanted.intersection(parents(node))))
        ]

    def named(self, selectors: list[str]) -> set[str]:
        """The ids that any of some selectors of dbt names: `+a`, `a+`, `source:b.c`, `a,b`."""
        found: set[str] = set()
        for selector in selectors:
            found |= set.intersection(*map(self.named_by, selector.split(",")))
        return found

    def named_by(self, selector: str) -> set[str]:
        name = selector.strip("+").removeprefix("source:landing.")
        is_source = "source:" in selector
        found = {
            key
            for key, node in self.nodes.items()
            if node["name"] == name and (node["resource_type"] == "source") == is_source
        }
        assert found, selector
        behind, before = set(found), set(found)
        if selector.endswith("+"):
            for key, node in self.nodes.items():
                if behind.intersection(parents(node)):
                    behind.add(key)
        if selector.startswith("+"):
            for key, node in reversed(self.nodes.items()):
                if key in before:
                    before.update(parents(node))
        return behind | before


@functools.cache
def project(folder: Path) -> PlainProject:
    """The project in a folder, its graph read once."""
    return PlainProject(folder)


def parents(node: dict) -> list[str]:
    """The ids of what a node is made of."""
    return node.get("depends_on", {}).get("nodes", [])


def build(plain: PlainProject, home: Home, arguments: list[str], what: str) -> None:
    """Do what dbt would do with these arguments."""
    if not plain.is_that_of(home.project):
        call_dbt(home, arguments, what)
        return
    command, *options = arguments
    nodes = plain.chosen(command, options)
    landing.prepare(home.landing)
    compiled = home.folder / "target" / "compiled"
    if not compiled.exists():
        # For what reads it. No link: dbt may write there.
        shutil.copytree(plain.target / "compiled", compiled)
    failures = []
    versions = Versions(plain, home)
    with (
        terminal.progress(f"dbt: {what}", None, "nodes") as advance,
        duckdb.connect(str(home.warehouse)) as connection,
    ):
        functions.register(connection)
        connection.execute(f"attach {sql.literal(home.landing)} as landing (read_only)")
        connection.execute(
            f"attach {sql.literal(plain.home / 'warehouse.duckdb')} as finished (read_only)"
        )
        for node in nodes:
            if versions.are_those_of(node, connection):
                advance(1)
                continue
            try:
                failed = STEPS[node["resource_type"]](plain, connection, home, node)
                if not failed:
                    versions.note(node, connection)
                failures += failed or []
            except duckdb.Error as error:
                failures.append(f"{node['name']} ({node['original_file_path']}): {error}")
                if command != "test":
                    break
            advance(1)
    versions.save()
    if failures:
        raise WarehouseError("dbt failed:\n" + "\n".join(failures))


class Versions:
    """The content of each table of a warehouse, and that of the tables that each node has read."""

    def __init__(self, plain: PlainProject, home: Home):
        self.plain, self.home = plain, home
        self.file = home.folder / "target" / "versions.json"
        self.tables: dict[str, str] = {}
        self.read: dict[str, list[str | None]] = {}
        self.sources: dict[str, str] = {}
        with suppress(OSError, ValueError):
            noted = json.loads(self.file.read_text())
            # Whoever else wrote to the warehouse did not say what.
            if noted["warehouse"] == self.state():
                self.tables, self.read = noted["tables"], noted["read"]

    def state(self) -> list[int]:
        """The time and size of the file of the warehouse."""
        found = self.home.warehouse.stat()
        return [found.st_mtime_ns, found.st_size]

    def save(self) -> None:
        """Keep what is known until the next build."""
        noted = {"warehouse": self.state(), "tables": self.tables, "read": self.read}
        self.file.write_text(json.dumps(noted))

    def are_those_of(self, node: dict, connection) -> bool:
        """Whether a node would read what it has read before."""
        reads = self.reads(node, connection)
        return None not in reads and self.read.get(node["unique_id"]) == reads

    def note(self, node: dict, connection) -> None:
        """Note what a node that was just made, or has passed, has read, and its content."""
        key = node["unique_id"]
        self.read[key] = self.reads(node, connection)
        if node["resource_type"] != "test" and node["config"]["materialized"] != "view":
            self.tables[key] = content(connection, node["name"])

    def reads(self, node: dict, connection) -> list[str | None]:
        """The versions of what a node reads; of a table that nobody has noted, none."""
        if node["resource_type"] == "seed":
            file = self.home.project / node["original_file_path"]
            return [hashlib.md5(file.read_bytes()).hexdigest()]
        return [self.version(key, connection) for key in parents(node)]

    def version(self, key: str, connection) -> str | None:
        """The version of a table; one of the landing file is looked at once a build."""
        node = self.plain.nodes.get(key, {"resource_type": "unknown"})
        if node["resource_type"] == "source":
            if key not in self.sources:
                self.sources[key] = content(connection, f"landing.{node['name']}")
            return self.sources[key]
        if node["resource_type"] == "model" and node["config"]["materialized"] == "view":
            # A view is what it reads, also if it is not made again.
            reads = self.reads(node, connection)
            return None if None in reads else hashlib.md5(json.dumps(reads).encode()).hexdigest()
        return self.tables.get(key)


def content(connection, table: str) -> str:
    """A table's number of rows and the sum of their hashes.

    The last value is in the hash of a row by an exclusive or. By another one over the rows, equal
    changes of two rows would cancel.
    """
    query = f"select count(*), sum(hash(found)) from {table} as found"
    return str(connection.execute(query).fetchone())


def note_all(folder: Path) -> None:
    """Note the content of a checkout's warehouse that dbt has just made and tested."""
    plain, home = project(folder), Home(folder, folder / "demo")
    versions = Versions(plain, home)
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        functions.register(connection)
        connection.execute(f"attach {sql.literal(home.landing)} as landing (read_only)")
        for node in plain.nodes.values():
            if node["resource_type"] != "source":
                versions.note(node, connection)
    versions.save()


def load(plain: PlainProject, connection, home: Home, node: dict) -> None:
    """Load a seed, its columns of the types that it has in the finished checkout."""
    name, file = node["name"], sql.literal(home.project / node["original_file_path"])
    connection.execute(f"create or replace table {name} as from finished.{name} limit 0")
    dialect = "delimiter ',', quote '\"', escape '\"', auto_detect false"
    connection.execute(f"copy {name} from {file} (format csv, header true, {dialect})")


def make(plain: PlainProject, connection, home: Home, node: dict) -> None:
    """Make a model."""
    name, text, settings = node["name"], plain.text(node), node["config"]
    if settings["materialized"] != "incremental":
        connection.execute(f"create or replace {settings['materialized']} {name} as ({text})")
        return
    connection.execute(f"create table if not exists {name} as from finished.{name} limit 0")
    connection.execute(f"create or replace temp table news as ({text})")
    key = settings["unique_key"]
    key = key if isinstance(key, str) else ", ".join(key)
    connection.execute(f"delete from {name} where ({key}) in (select ({key}) from news)")
    connection.execute(f"insert into {name} by name from news")
    for hook in settings["post-hook"]:
        connection.execute(plain_reference(hook["sql"], name))


def plain_reference(hook: str, name: str) -> str:
    """A hook with the names of its tables."""
    hook = hook.replace("{{ this }}", name)
    return hook.replace("{{ ref('", "").replace("') }}", "")


def check(plain: PlainProject, connection, home: Home, node: dict) -> list[str]:
    """Run a data test; return how it failed, if it did."""
    query = f"select {node['config']['fail_calc']} from ({plain.text(node)}\n) as failed"
    ((n_failed,),) = connection.execute(query).fetchall()
    if not n_failed:
        return []
    name, path = node["name"], node["original_file_path"]
    return [f"{name} ({path}): Got {n_failed} results, configured to fail if != 0"]


STEPS = {"seed": load, "model": make, "test": check}
