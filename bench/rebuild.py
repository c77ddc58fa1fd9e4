"""Time a complete round of many documents with the offline baseline, stage by stage.

    python bench/rebuild.py [DOCUMENTS]

Creates a landing file of DOCUMENTS prefixes (default 2,000) with four continuations each, from
randomly ordered sentences of the bundled sample, and runs one round over all of them. Prints
seconds and peak memory of each command, and of a second build of the finished warehouse.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import regex

ROOT = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
PROJECT_FILES = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "tests")


def main() -> None:
    """Run the benchmark and print its table."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, n_documents)
        write_rollouts(folder / "rollouts.jsonl", range(n_documents), n_siblings=4)
        print(f"{n_documents:,} documents, {os.cpu_count()} cores")
        for command in (
            "latent-probes land rollouts.jsonl",
            "latent-probes plan",
            "latent-probes run --provider lexical",
            "latent-probes export",
            "dbt run --quiet",
            "dbt build --quiet",
        ):
            measure(folder, command)
        for path in (*folder.glob("*.duckdb"), *folder.glob("export/data/*")):
            print(f"{path.stat().st_size / 1e6:10.1f} MB  {path.relative_to(folder)}")


def prepare(folder: Path, n_documents: int) -> None:
    """A project with one round."""
    for name in PROJECT_FILES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    (folder / "python").symlink_to(ROOT / "python")
    (folder / "seeds" / "rounds.csv").write_text(
        (ROOT / "seeds" / "rounds.csv").read_text().splitlines()[0]
        + f"\n1,{n_documents},1,bench,-2,5,lexical,lexical,lexical,false\n"
    )


def write_rollouts(path: Path, numbers: range, n_siblings: int) -> None:
    """Rollouts of these prefixes, made of sentences of the bundled sample."""
    rollouts = [json.loads(line) for line in (ROOT / "sample" / "rollouts.jsonl").open()]
    sentences = [
        sentence
        for row in rollouts
        for sentence in regex.split(r"(?<=[.!?])\s+", row["continuation"])
        if 20 < len(sentence) < 300 and "\n" not in sentence
    ]
    draw = random.Random(numbers.start)

    def text(n_paragraphs: int) -> str:
        return "\n".join(
            " ".join(draw.choices(sentences, k=draw.randint(2, 5))) for _ in range(n_paragraphs)
        )

    with path.open("w") as file:
        for number in numbers:
            row = {
                "doc_id": f"bench-{number:06d}",
                "doc_source": "bench",
                "prefix": text(3),
                "continuations": ["\n" + text(4) for _ in range(n_siblings)],
                "source_model": "bench",
            }
            file.write(json.dumps(row) + "\n")


def measure(folder: Path, command: str) -> None:
    """Run a command and print its time, CPU time and peak memory."""
    name, *arguments = command.split()
    started = time.monotonic()
    process = subprocess.Popen(
        [COMMANDS / name, *arguments],
        cwd=folder,
        env=os.environ | {"LATENT_PROBES_HOME": "."},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    print(
        f"{time.monotonic() - started:8.1f} s  {used.ru_utime + used.ru_stime:8.1f} CPU-s  "
        f"{used.ru_maxrss / 1024:8,.0f} MB  {command}",
        flush=True,
    )


if __name__ == "__main__":
    main()
