"""The task: make the tables of one part in a DuckDB of its own, and write them as Parquet.

A task reads its order, the compiled project and the part's rows from the storage, and writes only
there. What it writes depends on nothing else, so that it can be killed and run again anywhere.
"""

from __future__ import annotations

import functools
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from latent_probes.cluster import scales
from latent_probes.cluster.faults import ClusterError
from latent_probes.common import files, sql
from latent_probes.common.storage import Storage
from latent_probes.landing.tables import TABLES
from latent_probes.publication import parquet, tables
from latent_probes.warehouse import plain_sql, stamps
from latent_probes.warehouse.compilation import CompiledProject, read_project

DONE = "done.json"
PUBLISHED = "published"


@dataclass(frozen=True)
class Order:
    """What a task is told: the part, what it makes of which files, and where it writes.

    ``given`` are the tables that exist before, each with its columns and files. ``views`` are made
    after the tables, if the task also writes the published files of round ``number``.
    """

    name: str
    number: int
    storage: str
    project: str
    code: str
    folder: str
    tables: list[str]
    views: list[str]
    given: dict[str, dict[str, Any]]
    settings: dict[str, Any]

    def text(self) -> str:
        """The order as JSON."""
        return json.dumps(asdict(self))


def build_part(text: str) -> str:
    """Carry out an order, unless that was done; return its receipt: its files, as JSON.

    Raises ClusterError if this machine has another version of latent-probes, and duckdb.Error if
    a statement fails.
    """
    order = Order(**json.loads(text))
    refuse_other_code(order.code)
    storage = Storage(order.storage)
    if receipt := storage.text(f"{order.folder}/{DONE}"):
        return receipt
    with tempfile.TemporaryDirectory(prefix="latent-probes-") as name:
        return built(order, storage, Path(name).resolve())


def refuse_other_code(code: str) -> None:
    """Raise ClusterError unless this machine has this version of latent-probes."""
    if code != stamps.code_hash():
        raise ClusterError(
            "a machine of the cluster has another version of latent-probes or of a package that it "
            "uses: install the same as here"
        )


def built(order: Order, storage: Storage, folder: Path) -> str:
    """Make the tables in a local folder, and write them to the storage, the receipt last."""
    started, cpu_before = time.monotonic(), time.process_time()
    project = fetched_project(order.storage, order.project)
    written = folder / "written"
    written.mkdir()
    with plain_sql.connected(folder / "warehouse.duckdb", order.settings) as connection:
        connection.execute("attach ':memory:' as landing; use landing")
        connection.execute(TABLES)
        connection.execute("use warehouse")
        n_bytes_read = 0
        for table, rows in order.given.items():
            paths = [storage.fetched(name, folder) for name in rows["files"]]
            n_bytes_read += sum(path.stat().st_size for path in paths)
            connection.execute(relation(table, rows["columns"], paths))
        targets = [*order.tables, *order.views]
        seeds = {node.name for node in project.nodes.values() if node.kind == "seed"}
        wanted = {*targets} | scales.views(project, targets) | seeds
        for node in project.nodes.values():
            if node.name in wanted:
                plain_sql.make(connection, project, node)
        for table in order.tables:
            path = written / f"{table}.parquet"
            connection.execute(
                f"copy {sql.identifier(table)} to {sql.literal(path)} "
                "(format parquet, compression zstd, compression_level 1)"
            )
        if order.views:
            publish(connection, order.number, written / PUBLISHED)
    listed = {}
    for path in sorted(path for path in written.rglob("*") if path.is_file()):
        name = str(path.relative_to(written))
        listed[name] = {"bytes": path.stat().st_size, "sha256": files.hash_of(path)}
        storage.put(path, f"{order.folder}/{name}")
    spent = {
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu_before, 3),
        "bytes_read": n_bytes_read,
        # Of the process, which can have carried out other orders before.
        "peak_kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    receipt = json.dumps({"name": order.name, "folder": order.folder, "files": listed} | spent)
    (folder / DONE).write_text(receipt, encoding="utf-8")
    storage.put(folder / DONE, f"{order.folder}/{DONE}")
    return receipt


def relation(table: str, columns: dict[str, str], paths: list[Path]) -> str:
    """A statement that makes a view of the rows in some files, with these columns."""
    name, drop = table, ""
    if table.startswith("landing."):
        name = table.replace("landing.", "landing.main.")
        drop = f"drop table {name};"
    values = ", ".join(
        f"{sql.identifier(column) if paths else 'null'}::{kind} as {sql.identifier(column)}"
        for column, kind in columns.items()
    )
    # One file as one path; hive_partitioning would add the number of the part.
    listed = ", ".join(map(sql.file_literal, paths))
    source = f"from read_parquet([{listed}], hive_partitioning = false)" if paths else "where false"
    return f"{drop} create view {name} as select {values} {source}"


def publish(connection: duckdb.DuckDBPyConnection, number: int, folder: Path) -> None:
    """Write the published rows of a round, by table as in an export."""
    for table in tables.published(connection):
        if table.is_by_round and table.columns:
            for path, round_number in tables.paths(connection, table):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                parquet.write(connection, table, round_number, folder / path)


@functools.cache
def fetched_project(address: str, name: str) -> CompiledProject:
    """The compiled project of a storage, read once a process."""
    storage = Storage(address)
    folder = Path(tempfile.mkdtemp(prefix="latent-probes-project-"))
    listed = storage.text(f"{name}/files.json")
    assert listed is not None, name
    for file in json.loads(listed):
        path = storage.fetched(f"{name}/{file}", folder)
    return read_project(path.parent, path.parent)


def build_in_arrow(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The same as a function of Spark's ``mapInArrow``: orders in a column, receipts in another."""
    for batch in batches:
        receipts = [build_part(text) for text in batch.column("task").to_pylist()]
        yield pyarrow.RecordBatch.from_pydict({"receipt": receipts})
