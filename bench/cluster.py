"""Build the same warehouse on one machine and on Ray, and compare time, memory and bytes.

    python bench/cluster.py [DOCUMENTS] [ROUNDS]

Needs `requirements-cluster.lock`. Creates a landing file of DOCUMENTS prefixes (default 2,000) with
four continuations each, in ROUNDS rounds (default 2) that the offline baseline answers. Builds it
twice from a deleted warehouse: in one process, and in tasks of a local Ray cluster. CPU-seconds on
Ray are those of the command and of the tasks, without Ray's own processes; memory is the peak of a
process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rebuild import COMMANDS, ROOT, prepare, write_rollouts


def main() -> None:
    """Run the benchmark and print its tables."""
    given = [int(argument) for argument in sys.argv[1:]]
    n_documents, n_rounds = [*given, *(2_000, 2)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, n_documents)
        write_rounds(folder, n_documents // n_rounds, n_rounds)
        write_rollouts(folder / "rollouts.jsonl", range(n_documents), n_siblings=4)
        for command in ("land rollouts.jsonl", "run --provider lexical"):
            measured(folder, command)
        print(f"{n_documents:,} documents in {n_rounds} rounds, {os.cpu_count()} cores\n")
        print("wall s   CPU-s      MB  command")
        for command in ("build", "build --on ray"):
            (folder / "warehouse.duckdb").unlink(missing_ok=True)
            show(*measured(folder, command), command)
        show_parts(folder, n_documents)


def write_rounds(folder: Path, size: int, n_rounds: int) -> None:
    """Write rounds of the same size."""
    header = (ROOT / "seeds" / "rounds.csv").read_text().splitlines()[0]
    rounds = [
        f"{number},{size},{number},bench,-2,5,lexical,lexical,lexical,false"
        for number in range(1, n_rounds + 1)
    ]
    (folder / "seeds" / "rounds.csv").write_text("\n".join([header, *rounds]) + "\n")


def measured(folder: Path, command: str) -> tuple[float, float, float]:
    """Run a command; return its seconds, CPU-seconds and peak megabytes."""
    started = time.monotonic()
    process = subprocess.Popen(
        [COMMANDS / "latent-probes", *command.split()],
        cwd=folder,
        env=os.environ | {"LATENT_PROBES_HOME": "."},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    seconds = time.monotonic() - started
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def show(seconds: float, cpu: float, megabytes: float, what: str) -> None:
    """Print a line of the first table."""
    print(f"{seconds:6.1f} {cpu:7.1f} {megabytes:7,.0f}  {what}", flush=True)


def show_parts(folder: Path, n_documents: int) -> None:
    """Print what the tasks have used, and the bytes a document."""
    receipts = [
        json.loads(path.read_text()) for path in sorted(folder.glob("cluster/parts/*/done.json"))
    ]
    kinds = defaultdict(list)
    for receipt in receipts:
        is_second = any("published" in name for name in receipt["files"])
        kind = receipt["name"].split("-")[0] + (", scored" if is_second else "")
        kinds[kind].append(receipt)
    for kind, found in kinds.items():
        show(
            sum(one["seconds"] for one in found),
            sum(one["cpu_seconds"] for one in found),
            max(one["peak_kilobytes"] for one in found) / 1024,
            f"  of which {len(found)} tasks: {kind}",
        )
    sizes: dict[str, int] = defaultdict(int)
    for receipt in receipts:
        for name, file in receipt["files"].items():
            sizes[name.split("/")[0]] += file["bytes"]
    published = sizes.pop("published")
    print("\nkilobytes a document")
    for what, n_bytes in (
        ("read by tasks", sum(receipt["bytes_read"] for receipt in receipts)),
        ("written by tasks: published files", published),
        ("written by tasks: tables", sum(sizes.values())),
        ("landing file", (folder / "landing.duckdb").stat().st_size),
        ("warehouse", (folder / "warehouse.duckdb").stat().st_size),
    ):
        print(f"{n_bytes / n_documents / 1000:8.1f}  {what}")
    largest = sorted(sizes, key=lambda name: -sizes[name])[:8]
    for name in largest:
        print(f"{sizes[name] / n_documents / 1000:8.1f}    {name.removesuffix('.parquet')}")


if __name__ == "__main__":
    main()
