"""Land large files, local and from a local Hub: seconds and peak memory of each command.

    python bench/landing.py [documents]

Each document has four continuations. The column ``bulk`` is large and never read.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from stand_in_hub import StandInHub  # noqa: E402

DOCUMENTS = 130_000
BULK = 20_000
SCHEMA = pyarrow.schema(
    {
        "source_model": pyarrow.string(),
        "doc_id": pyarrow.string(),
        "doc_source": pyarrow.string(),
        "prefix": pyarrow.string(),
        "continuation": pyarrow.string(),
        "continuation_idx": pyarrow.int64(),
        "bulk": pyarrow.binary(),
    }
)


def make(folder: Path, n_documents: int) -> None:
    """Write the files in three formats."""
    write(folder / "bulk.parquet", n_documents // 5, BULK)
    write(folder / "text.parquet", n_documents, 1)
    texts = f"(select * exclude (bulk) from '{folder}/text.parquet')"
    with duckdb.connect() as connection:
        connection.execute(f"copy {texts} to '{folder}/text.csv'")
        connection.execute(f"copy {texts} to '{folder}/text.jsonl' (format json)")


def write(path: Path, n_documents: int, bulk: int) -> None:
    """Write a Parquet file of rollouts, some documents at a time."""
    chance = random.Random(1)
    words = [f"{chance.getrandbits(28):x}" for _ in range(5000)]
    with pyarrow.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, n_documents, 250):
            rows = []
            for number in range(start, min(start + 250, n_documents)):
                prefix = " ".join(chance.choices(words, k=250))
                rows += [
                    {
                        "source_model": "bench/model",
                        "doc_id": f"doc-{number:08}",
                        "doc_source": "bench",
                        "prefix": prefix,
                        "continuation": " ".join(chance.choices(words, k=125)),
                        "continuation_idx": index,
                        "bulk": os.urandom(bulk),
                    }
                    for index in range(4)
                ]
            writer.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))


def land(folder: Path, name: str, **environment: str) -> None:
    """Land a file in a separate process, and print time and memory."""
    command = [Path(sys.executable).with_name("latent-probes"), "land", name]
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    assert status == 0
    cpu_seconds = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * 1024 / 1e9
    print(f"{name}: {seconds:.1f} s, {cpu_seconds:.1f} CPU-s, peak {peak:.2f} GB", flush=True)


def main() -> None:
    """Write the files and land them, each into a new landing file."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy2(ROOT / "dbt_project.yml", folder)
        shutil.copytree(ROOT / "seeds", folder / "seeds")
        # The peak memory of a child includes the size of a large parent.
        making = multiprocessing.Process(target=make, args=(folder, n_documents))
        making.start()
        making.join()
        for file in ("bulk.parquet", "text.parquet", "text.csv", "text.jsonl"):
            land(folder, file)
            (folder / "landing.duckdb").unlink()
        ours, theirs = multiprocessing.Pipe()
        hub = multiprocessing.Process(target=serve, args=(folder / "bulk.parquet", theirs))
        hub.start()
        address = ours.recv()
        for _ in range(2):
            land(
                folder,
                "hf://datasets/bench/rollouts",
                HF_ENDPOINT=address,
                HF_HOME=str(folder / "hub-client"),
            )
        hub.terminate()


def serve(path: Path, connection) -> None:
    """Serve a Hub with one data set of one file."""
    with StandInHub() as hub:
        hub.create("bench/rollouts").commit({path.name: path.read_bytes()})
        connection.send(hub.address)
        connection.recv()


if __name__ == "__main__":
    main()
