"""Rollouts in files, and a landing file to land them in."""

from __future__ import annotations

import atexit
import csv
import functools
import json
import shutil
import tempfile
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from latent_probes import landing, rollout_files
from latent_probes.rollout_files import Mapping
from latent_probes.table_files import FileError


def row(**changes):
    """A good row with one continuation."""
    good = {
        "source_model": "Qwen/Qwen3-8B",
        "doc_id": "doc-1",
        "continuation_idx": 0,
        "doc_source": "web",
        "prefix": "Once upon a time",
        "continuation": " there was a fox.",
    }
    return good | changes


def listed(*continuations, **changes):
    """A good row with a list of continuations."""
    kept = row(**changes)
    del kept["continuation"], kept["continuation_idx"]
    return kept | {"continuations": list(continuations)}


def without(column, **changes):
    return {name: value for name, value in row(**changes).items() if name != column}


def write(path, *rows):
    """Write rows to a file in the format that its suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return path


@functools.cache
def empty_file() -> bytes:
    """A landing file in which nothing has landed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "landing.duckdb"
        landing.prepare(path)
        return path.read_bytes()


def empty_landing(path: Path) -> Path:
    """Make an empty landing file: copying one takes a hundredth of creating its tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(empty_file())
    return path


@functools.cache
def held() -> tuple[Path, duckdb.DuckDBPyConnection]:
    """A landing file that this process holds: DuckDB is quick to open such a file again."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = empty_landing(folder / "landing.duckdb")
    return path, landing.connect(path)


class House:
    """An empty landing file, and what can be asked of it; one at a time."""

    def __init__(self, folder):
        self.folder = folder
        self.path, self.connection = held()

    def __enter__(self):
        assert self.state() == []
        return self

    def __exit__(self, *error):
        self.connection.execute("delete from rollouts; delete from rollout_sources")

    def land(self, *paths, columns=None, constants=None, delimiter=","):
        mapping = Mapping(columns or {}, constants or {}, delimiter)
        return rollout_files.land_rollouts(
            self.path, list(paths), mapping, self.folder / "downloads"
        )

    def query(self, query):
        return self.connection.execute(query).fetchall()

    def rollouts(self):
        return self.query(
            "select source_model, doc_id, continuation_idx, doc_source, prefix, continuation "
            "from rollouts order by all"
        )

    def sampling(self):
        return [
            json.loads(text)
            for (text,) in self.query("select sampling from rollouts order by continuation_idx")
        ]

    def state(self):
        return self.query("from rollouts full join rollout_sources using (source_hash)")

    def refusal(self, *paths, **mapping):
        """Why the files are refused; nothing of them is landed, nor of a good one before them."""
        good = row(doc_id="good")
        for ours in mapping.get("constants", ()):
            good.pop(ours, None)
        good = write(self.folder / "good.jsonl", good)
        before = self.state()
        with pytest.raises(FileError) as caught:
            self.land(good, *paths, **mapping)
        assert self.state() == before
        return str(caught.value)


def rows_at(path) -> list[tuple]:
    """The rollouts that have landed in a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            """
            select doc_id, continuation_idx, continuation, sampling, prefix_tokens,
                continuation_tokens
            from rollouts
            order by doc_id, continuation_idx
            """
        ).fetchall()
