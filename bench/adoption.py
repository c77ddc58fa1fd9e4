"""How an adopted home compares with the home of its maker: `bench/adoption.py [HOME]`.

Adopts the export of a home (default: demo) into a temporary one, builds both, and compares the
tables that an evaluation is computed from, row by row. Prints the seconds of each step and, of each
table, the rows in both homes and those that only one has.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

TABLES = (
    *("train", "documents", "probe_scores", "arm_scores", "control_answers", "folds"),
    *("other_documents", "oracle_states", "text_reader_scores", "contrast_baselines"),
    *("contrast", "oracle_scores", "oracle_leaderboard", "band_changes", "hardness_by_answers"),
    *("probe_findings",),
)


def step(name: str, home: Path, *command: str) -> None:
    """Run a command in a home, and print its seconds."""
    started = time.monotonic()
    environment = os.environ | {"LATENT_PROBES_HOME": str(home.resolve())}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    print(f"{name:40} {time.monotonic() - started:8.1f} s")


def main() -> None:
    """Adopt, build and compare."""
    maker = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    with tempfile.TemporaryDirectory() as folder:
        adopted = Path(folder) / "adopted"
        step("adopt", adopted, "latent-probes", "adopt", str((maker / "export").resolve()))
        step("plan, with the first build", adopted, "latent-probes", "plan")
        step("plan in the maker's home", maker, "latent-probes", "plan")
        print(f"\n{'table':24} {'maker':>8} {'adopted':>8} {'only one':>9}")
        with duckdb.connect() as connection:
            for name, home in {"maker": maker, "adopted": adopted}.items():
                connection.execute(f"attach '{home}/warehouse.duckdb' as {name} (read_only)")
            for table in TABLES:
                counted = [
                    connection.execute(f"select count(*) from {home}.{table}").fetchall()[0][0]
                    for home in ("maker", "adopted")
                ]
                ((differing,),) = connection.execute(
                    f"select count(*) from ((from maker.{table} except all from adopted.{table}) "
                    f"union all (from adopted.{table} except all from maker.{table}))"
                ).fetchall()
                print(f"{table:24} {counted[0]:8,} {counted[1]:8,} {differing:9,}")


if __name__ == "__main__":
    main()
