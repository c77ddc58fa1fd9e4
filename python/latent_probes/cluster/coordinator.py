"""The coordinator: divides the rows, has tasks make the parts, unites them, and makes the rest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from latent_probes import landing, warehouse
from latent_probes.cluster import scales, slices
from latent_probes.cluster.faults import ClusterError
from latent_probes.cluster.parts import DONE, PUBLISHED, Order
from latent_probes.cluster.scales import PREFIXES, ROUND, SHARDED, Phase
from latent_probes.common import files, sql, terminal
from latent_probes.common.home import Home, locked
from latent_probes.common.storage import Storage
from latent_probes.publication import made_elsewhere
from latent_probes.warehouse import compilation, plain_sql, stamps
from latent_probes.warehouse.versions import Versions

# Carries out orders, in any order, and yields the receipts: an engine.
Engine = Callable[[list[str]], Iterator[str]]


def build(home: Home, run: Engine, address: str) -> None:
    """Bring the warehouse up to date, its prefixes and rounds made by tasks of an engine.

    ``address`` is the storage, which belongs to this home. Parts whose rows and project are
    unchanged, also those of an interrupted build, are not made again. Does nothing if the warehouse
    is up to date. Raises ClusterError, and what ``warehouse.build`` raises.
    """
    if warehouse.is_calibration(home):
        raise ClusterError(
            "the levels of a calibration share their documents, so they are not parts: build it on "
            "one machine, by any other command"
        )
    landing.refuse_adopted(home.landing, "its rounds are not built in parts by a cluster")
    with locked(home):
        if warehouse.is_current(home, tested=False):
            return
        project = compilation.compiled_project(home)
        # Taken before the build: changes made meanwhile belong to the next build.
        versions = Versions(home, project, landing.contents(home.landing))
        built_of = stamps.state(home)
        beside = home.folder / "cluster-build"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            building = Build(home, project, Storage(address), run)
            building.build(beside / home.warehouse.name, versions)
            for name in (home.warehouse.name, f"{home.warehouse.name}.wal"):
                home.warehouse.with_name(name).unlink(missing_ok=True)
            (beside / home.warehouse.name).replace(home.warehouse)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        versions.save()
        stamps.stamp(home, built_of, tested=False)
        made_elsewhere.note(home, address, building.published)
        building.clean()


class Build:
    """One build: what is made so far, and where the parts of each table are."""

    def __init__(
        self, home: Home, project: compilation.CompiledProject, storage: Storage, run: Engine
    ) -> None:
        self.home, self.project, self.storage, self.run = home, project, storage, run
        self.limit = plain_sql.memory_limit()
        seeds = [files.hash_of(path) for path in project.seed_files]
        self.name_of_project = f"project-{identity([project.folder.name, seeds])}"
        # The folder of a part with a table, by the table and the number of the part.
        self.folders: dict[str, dict[int, str]] = {}
        self.published: dict[str, dict[str, str]] = {}
        self.made: set[str] = set()

    def build(self, path: Path, versions: Versions) -> None:
        """Make all tables and views in a new warehouse."""
        self.put_project()
        phases = scales.phases(self.project, slices.AVAILABLE_AFTER)
        last_round = max(place for place, phase in enumerate(phases) if phase.scale == ROUND)
        with plain_sql.connected(path, {"memory_limit": self.limit}) as connection:
            landing.attach(connection, self.home.landing)
            for place, phase in enumerate(phases):
                self.make_here(connection, phase)
                if phase.scale in SHARDED:
                    published = self.by_round(connection) if place == last_round else []
                    self.make_parts(connection, phase, published)
            self.make_here(connection, Phase(scales.WHOLE, ()))
            for node in self.project.nodes.values():
                versions.note(node, versions.of(node), connection)
        assert self.made == set(self.project.nodes), set(self.project.nodes) - self.made

    def put_project(self) -> None:
        """Copy the compiled project into the storage."""
        if self.storage.text(f"{self.name_of_project}/files.json") is not None:
            return
        with self.storage.scratch() as scratch:
            paths = [self.project.folder / compilation.NODES, *self.project.seed_files]
            for path in paths:
                shutil.copy2(path, scratch / path.name)
                self.storage.put(scratch / path.name, f"{self.name_of_project}/{path.name}")
            names = [path.name for path in paths]
            (scratch / "files.json").write_text(json.dumps(names))
            self.storage.put(scratch / "files.json", f"{self.name_of_project}/files.json")

    def make_here(self, connection: duckdb.DuckDBPyConnection, phase: Phase) -> None:
        """Make seeds, the tables of a phase unless they are in parts, and all views above them."""
        tables = () if phase.scale in SHARDED else phase.tables
        with terminal.progress("tables of the whole", len(tables), "tables") as advance:
            for node in self.project.nodes.values():
                if node.name in self.made:
                    continue
                is_ready = all(
                    parent in self.made or parent.startswith(slices.SOURCE)
                    for parent in node.parents
                )
                if node.name in tables or (node.kind != "table" and is_ready):
                    plain_sql.make(connection, self.project, node)
                    self.made.add(node.name)
                    advance(node.name in tables)

    def by_round(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """The models of the data set that have a file per round."""
        found = connection.execute(
            "select if(model = 'train', 'published_probes', model) from published_tables "
            "where is_by_round union select model from published_tables where is_by_round "
            "union select 'published_rounds' order by all"
        ).fetchall()
        return [name for (name,) in found]

    def make_parts(
        self, connection: duckdb.DuckDBPyConnection, phase: Phase, published: list[str]
    ) -> None:
        """Have the engine make the tables of a phase, and unite them here."""
        orders, divided = self.orders(connection, phase, published)
        open_orders = [order for order in orders if not self.storage.text(f"{order.folder}/{DONE}")]
        if open_orders:
            slices.write(
                connection,
                self.storage,
                f"slices/{phase.scale}-{len(self.folders)}",
                divided,
                [order.number for order in open_orders],
            )
        for order in open_orders:
            for piece in divided:
                order.given[piece.table]["files"] = piece.files_of(order.number)
        what = "prefixes" if phase.scale == PREFIXES else "rounds"
        with terminal.progress(what, len(orders), "parts") as advance:
            advance(len(orders) - len(open_orders))
            if open_orders:
                for _ in self.run([order.text() for order in open_orders]):
                    advance(1)
        self.unite(connection, phase, orders)

    def orders(
        self, connection: duckdb.DuckDBPyConnection, phase: Phase, published: list[str]
    ) -> tuple[list[Order], list[slices.Slice]]:
        """The orders of a phase, and how the rows that they read are divided."""
        numbers = slices.part_numbers(connection, phase.scale)
        views = [name for name in published if self.project.nodes[name].kind == "view"]
        found = {*scales.leaves(self.project, [*phase.tables, *views]), *published}
        read = sorted(found - {*phase.tables, *views})
        # What an earlier task made of the same part goes from storage to task.
        own = [name for name in read if name in self.folders and self.is_of(name, phase.scale)]
        seeds = {node.name for node in self.project.nodes.values() if node.kind == "seed"}
        divided = [
            slices.divided(connection, phase.scale, name, len(numbers))
            for name in read
            if name not in own and name not in seeds
        ]
        columns = {name: slices.columns_of(connection, name) for name in own}
        orders = []
        for number in numbers:
            given = {piece.table: {"columns": piece.columns, "files": []} for piece in divided}
            inputs = {piece.table: piece.fingerprint(number) for piece in divided}
            for name in own:
                folder = self.folders[name][number]
                given[name] = {"columns": columns[name], "files": [f"{folder}/{name}.parquet"]}
                inputs[name] = folder
            key = identity([self.name_of_project, stamps.code_hash(), phase.tables, views, inputs])
            name = f"{phase.scale}-{number:04d}"
            orders.append(
                Order(
                    name=name,
                    number=number,
                    storage=self.storage.address,
                    project=self.name_of_project,
                    code=stamps.code_hash(),
                    folder=f"parts/{name}-{key}",
                    tables=list(phase.tables),
                    views=views,
                    given=given,
                    settings={"threads": 1, "memory_limit": self.limit},
                )
            )
        return orders, divided

    def is_of(self, name: str, scale: str) -> bool:
        """Whether a table is made at a scale."""
        return scales.scale(self.project.nodes[name]) == scale

    def unite(
        self, connection: duckdb.DuckDBPyConnection, phase: Phase, orders: list[Order]
    ) -> None:
        """Put the rows of all parts together, in the order of the parts."""
        for order in orders:
            receipt = self.storage.text(f"{order.folder}/{DONE}")
            if receipt is None:
                raise ClusterError(f"{order.name} was not built: run the same command again")
            for name, file in json.loads(receipt)["files"].items():
                if name.startswith(f"{PUBLISHED}/"):
                    place = {"name": f"{order.folder}/{name}", "sha256": file["sha256"]}
                    self.published[name.removeprefix(f"{PUBLISHED}/")] = place
        for table in phase.tables:
            with self.storage.scratch() as scratch:
                names = [f"{order.folder}/{table}.parquet" for order in orders]
                paths = [self.storage.fetched(name, scratch) for name in names]
                listed = ", ".join(map(sql.file_literal, paths))
                connection.execute(f"create table {table} as from read_parquet([{listed}])")
            self.folders[table] = {order.number: order.folder for order in orders}
            self.made.add(table)

    def clean(self) -> None:
        """Remove from the storage what no part of this build is."""
        used = {folder for parts in self.folders.values() for folder in parts.values()}
        for name in self.storage.folders("parts"):
            if f"parts/{name}" not in used:
                self.storage.remove(f"parts/{name}")
        self.storage.remove("slices")


def identity(values: list) -> str:
    """A hash of some values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
