"""The project's seeds, models and data tests as plain SQL, which dbt compiles once per change."""

from __future__ import annotations

import functools
import graphlib
import importlib.metadata
import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import filelock

from latent_probes import landing
from latent_probes.common import files, home, sql
from latent_probes.common.home import Home
from latent_probes.warehouse.errors import WarehouseError
from latent_probes.warehouse.stamps import COMPILED, sources_digest

NODES = "nodes.json"
MOST_EDITS = 3
# The manifest of dbt knows these kinds of nodes besides others.
KINDS = ("resource_type:seed", "resource_type:model", "resource_type:test")


@dataclass(frozen=True)
class Node:
    """A seed, a model or a data test: ``kind`` is seed, table, view or test.

    ``parents`` are names of nodes, and of tables of the landing file as ``landing.NAME``.
    ``statement`` is the query of a model or of a test, whose ``failures`` is an expression over the
    rows of that query: the test passes if it is 0, and otherwise only warns if ``warns``. It passes
    without being run if the table ``only_with`` is empty.
    ``columns`` are those of a seed or of an enforced contract, with their types. An incremental
    model also has the query for the rows that its table lacks, ``news``, the ``key`` of these rows,
    and statements that follow.
    """

    name: str
    kind: str
    path: str
    parents: tuple[str, ...] = ()
    statement: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    news: str = ""
    key: tuple[str, ...] = ()
    followed_by: tuple[str, ...] = ()
    failures: str = ""
    warns: bool = False
    only_with: str = ""

    @property
    def folder(self) -> str:
        """The folder of a model, below ``models/``."""
        return str(Path(self.path).parent.relative_to(Path(self.path).parts[0]))


@dataclass(frozen=True)
class CompiledProject:
    """Seeds and models, and data tests, by name, each after its parents; the folder of seeds."""

    folder: Path
    seeds: Path
    nodes: dict[str, Node]
    tests: dict[str, Node]

    @property
    def seed_files(self) -> list[Path]:
        """The files of the seeds."""
        names = [node.name for node in self.nodes.values() if node.kind == "seed"]
        return [self.seeds / f"{name}.csv" for name in names]

    def needed_for(self, names: Iterable[str]) -> set[str]:
        """The names of some nodes and tests, and of all that they are made of."""
        wanted = set(names)
        known = self.nodes | self.tests
        for name in reversed(known):
            if name in wanted:
                wanted.update(known[name].parents)
        return wanted & known.keys()


def compiled_project(home: Home) -> CompiledProject:
    """Compile the project, unless that was done since it changed last.

    Raises WarehouseError if dbt cannot compile it.
    """
    try:
        folder = compiled_below(home.project, home.project)
    except PermissionError:
        # A checkout that others own, used with a home elsewhere.
        folder = compiled_below(home.folder, home.project)
    return read_project(folder, home.project / "seeds")


def compiled_below(place: Path, project: Path) -> Path:
    """The folder of the compiled project, in the `target` of a checkout or of a home."""
    parent = place / "target" / "plain"
    parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(parent / "compiling.lock"):
        for _ in range(MOST_EDITS):
            digest = sources_hash(project)
            folder = parent / digest
            if (folder / NODES).exists():
                return folder
            compile_into(folder, project)
            if sources_hash(project) == digest:
                return folder
            # It was edited meanwhile.
            shutil.rmtree(folder)
    raise WarehouseError("the project changes faster than it can be compiled: run again later")


def compile_here() -> None:
    """Compile the project of the current directory, so that no command waits for it."""
    compiled_project(home.find())


@functools.lru_cache(2)
def read_project(folder: Path, seeds: Path) -> CompiledProject:
    """The compiled project in a folder."""
    listed = json.loads((folder / NODES).read_text(encoding="utf-8"))
    tuples = ("parents", "key", "followed_by")
    nodes = [Node(**one | {name: tuple(one[name]) for name in tuples}) for one in listed]
    return CompiledProject(
        folder,
        seeds,
        {node.name: node for node in nodes if node.kind != "test"},
        {node.name: node for node in nodes if node.kind == "test"},
    )


def compiled(home: Home, models: Iterable[str]) -> dict[str, str]:
    """The SQL of models, by name."""
    nodes = compiled_project(home).nodes
    return {name: nodes[name].statement for name in models}


def sources_hash(project: Path) -> str:
    """SHA-256 of the files and versions that the compiled statements depend on."""
    digest = sources_digest(project, COMPILED)
    digest.update(Path(__file__).read_bytes())
    for package in ("dbt-core", "dbt-duckdb", "jinja2"):
        digest.update(f"{package} {importlib.metadata.version(package)}\0".encode())
    return digest.hexdigest()


def compile_into(folder: Path, project: Path) -> None:
    """Have dbt compile the project, in a home of its own, and write the nodes into a folder."""
    # Importing dbt takes seconds.
    from latent_probes.warehouse import dbt

    scratch = Home(project, folder.parent / "compiling")
    for file in (
        "landing.duckdb",
        "landing.duckdb.wal",
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
    ):
        (scratch.folder / file).unlink(missing_ok=True)
    landing.prepare(scratch.landing)
    with dbt.Compiler(scratch) as compiler:
        found = compiler.compiled(KINDS, ["--full-refresh"])
        nodes = {node.unique_id: node_of(node) for node in found}
        # Compiled for a table that exists, an incremental model says what it lacks.
        kept = [node.name for node in found if node.config.materialized == "incremental"]
        with duckdb.connect(str(scratch.warehouse)) as connection:
            for name in kept:
                connection.execute(f"create table {sql.identifier(name)} (x int)")
        news = {node.unique_id: node.compiled_code for node in compiler.compiled(kept, [])}
    for key, statement in news.items():
        nodes[key] = Node(**vars(nodes[key]) | {"news": statement})
    listed = [asdict(nodes[key]) for key in in_order(found)]
    with files.atomic_write(folder / NODES) as partial:
        partial.write_text(json.dumps(listed), encoding="utf-8")
    for old in folder.parent.iterdir():
        if old.is_dir() and old not in (folder, scratch.folder):
            shutil.rmtree(old, ignore_errors=True)


def in_order(found: Collection[Any]) -> list[str]:
    """dbt's keys of nodes, each after those of its parents."""
    nodes = {node.unique_id: node for node in found}
    parents = {key: keys_of_parents(nodes[key]) for key in sorted(nodes)}
    return [key for key in graphlib.TopologicalSorter(parents).static_order() if key in nodes]


def keys_of_parents(node: Any) -> list[str]:
    """dbt's keys of what a node is made of."""
    return list(getattr(node.depends_on, "nodes", []))


def node_of(node: Any) -> Node:
    """A node of dbt's graph."""
    kind, settings = str(node.resource_type.value), node.config
    if kind == "model":
        kind = str(settings.materialized)
    one = {
        "name": node.name,
        "kind": "table" if kind == "incremental" else kind,
        "path": node.original_file_path,
        "parents": tuple(map(name_of, keys_of_parents(node))),
        "statement": getattr(node, "compiled_code", None) or "",
    }
    if kind == "seed":
        one["columns"] = dict(settings.column_types)
    elif kind == "test":
        one["failures"] = settings.fail_calc
        one["warns"] = settings.severity.lower() == "warn"
        one["only_with"] = settings.meta.get("only_with", "")
    elif kind == "incremental":
        key = settings.unique_key
        one["key"] = (key,) if isinstance(key, str) else tuple(key)
        one["followed_by"] = tuple(rendered(hook.sql, node.name) for hook in settings.post_hook)
    elif settings.contract.enforced:
        one["columns"] = {column.name: column.data_type for column in node.columns.values()}
    return Node(**one)


def rendered(hook: str, name: str) -> str:
    """The statement of a hook of a model, which dbt renders when it runs."""
    # Importing it takes a while, and only compiling needs it.
    import jinja2

    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(hook)
    return template.render(this=sql.identifier(name), ref=sql.identifier)


def name_of(key: str) -> str:
    """The name of a node in dbt's key of it, or that of a table of the landing file."""
    kind, _, *names = key.split(".")
    return f"landing.{names[-1]}" if kind == "source" else names[0]
