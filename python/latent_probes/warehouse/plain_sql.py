"""The project's models as plain SQL: compiled once by dbt, run in one DuckDB process without it.

A compiled project is a folder: the statements in order of dependence and the files of the seeds. It
can be copied to another machine, where it needs neither dbt's files nor the checkout.
"""

from __future__ import annotations

import graphlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from latent_probes import landing
from latent_probes.common import files, sql
from latent_probes.common.home import Home, locked
from latent_probes.warehouse.dbt import WarehouseError, close_connections, explained, invoke
from latent_probes.warehouse.stamps import project_hash

NODES = "nodes.json"
# As for a table that does not exist yet, where it is incremental.
COMPILE = ("compile", "--full-refresh", "--indirect-selection", "empty")
SEEDS_AND_MODELS = ("--select", "resource_type:seed", "resource_type:model")
# dbt's seeds.
CSV = "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false"


@dataclass(frozen=True)
class Node:
    """A seed or a model: ``kind`` is seed, table or view; ``statement`` is a model's query.

    ``parents`` are names of nodes, and of tables of the landing file as ``landing.NAME``;
    ``columns`` are a seed's, with their types. An incremental model is a table that is made
    completely.
    """

    name: str
    kind: str
    folder: str
    parents: tuple[str, ...] = ()
    statement: str = ""
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlainProject:
    """A compiled project: its folder, and its nodes by name, each after its parents."""

    folder: Path
    nodes: dict[str, Node]


def compiled_project(home: Home) -> PlainProject:
    """Compile the project, unless that was done since it changed last.

    Raises WarehouseError if dbt cannot compile it.
    """
    folder = home.folder / "target" / "plain" / project_hash(home.project)
    if not (folder / NODES).exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        nodes = [node_of(node) for node in compiled_nodes(home)]
        for node in nodes:
            if node.kind == "seed":
                shutil.copy2(home.project / "seeds" / f"{node.name}.csv", folder)
        with files.atomic_write(folder / NODES) as partial:
            partial.write_text(json.dumps([asdict(node) for node in nodes]))
    return read_project(folder)


def read_project(folder: Path) -> PlainProject:
    """The compiled project in a folder."""
    listed = json.loads((folder / NODES).read_text(encoding="utf-8"))
    nodes = [Node(**one | {"parents": tuple(one["parents"])}) for one in listed]
    return PlainProject(folder, {node.name: node for node in nodes})


def compiled_nodes(home: Home) -> list[Any]:
    """The seeds and models as dbt compiles them, each after its parents."""
    with locked(home):
        landing.prepare(home.landing)
        outcome = invoke(home, [*COMPILE, *SEEDS_AND_MODELS], "compiling", [])
        close_connections()
    if not outcome.success:
        raise WarehouseError(explained(home, outcome, []))
    nodes = {result.node.unique_id: result.node for result in outcome.result}
    parents = {key: keys_of_parents(nodes[key]) for key in sorted(nodes)}
    ordered = graphlib.TopologicalSorter(parents).static_order()
    return [nodes[key] for key in ordered if key in nodes]


def keys_of_parents(node: Any) -> list[str]:
    """dbt's keys of what a node is made of."""
    return list(getattr(node.depends_on, "nodes", []))


def node_of(node: Any) -> Node:
    """A node of dbt's graph."""
    kind = str(node.config.materialized)
    return Node(
        name=node.name,
        kind="table" if kind == "incremental" else kind,
        folder="/".join(node.fqn[1:-1]),
        parents=tuple(map(name_of, keys_of_parents(node))),
        statement=getattr(node, "compiled_code", None) or "",
        columns=dict(getattr(node.config, "column_types", {})),
    )


def name_of(key: str) -> str:
    """The name of a node in dbt's key of it, or that of a table of the landing file."""
    kind, _, *names = key.split(".")
    return f"landing.{names[-1]}" if kind == "source" else names[-1]


# Running --------------------------------------------------------------------------------------


@contextmanager
def connected(warehouse: Path, settings: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse that is written, with the functions of the project.

    ``settings`` are DuckDB's, such as memory_limit. The file must be called ``warehouse.duckdb``:
    statements name the database.
    """
    # Registering them imports dbt's adapter.
    from latent_probes.warehouse import functions

    connection = duckdb.connect(str(warehouse), config=settings)
    try:
        functions.register(connection)
        yield connection
    finally:
        connection.close()


def attach_landing(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a landing file for reading."""
    with landing.looked_at(path):
        pass
    connection.execute(f"attach {sql.literal(path)} as landing (read_only)")


def run(
    connection: duckdb.DuckDBPyConnection,
    project: PlainProject,
    names: Iterable[str] | None = None,
    done: Callable[[Node], None] = lambda node: None,
) -> None:
    """Make these nodes (default: all), each after its parents; calls ``done`` after each.

    The landing file must be attached as ``landing``. Raises duckdb.Error if a statement fails.
    """
    wanted = set(project.nodes if names is None else names)
    for node in project.nodes.values():
        if node.name in wanted:
            make(connection, project, node)
            done(node)


def make(connection: duckdb.DuckDBPyConnection, project: PlainProject, node: Node) -> None:
    """Make one node, whose parents exist."""
    kind, statement = node.kind, node.statement
    if kind == "seed":
        columns = ", ".join(
            f"{sql.literal(name)}: {sql.literal(of)}" for name, of in node.columns.items()
        )
        file = sql.file_literal(project.folder / f"{node.name}.csv")
        kind, statement = "table", f"from read_csv({file}, {CSV}, columns = {{{columns}}})"
    connection.execute(f"create or replace {kind} {sql.identifier(node.name)} as ({statement}\n)")
