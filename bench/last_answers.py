"""Measure what a run rebuilds when the last answers land, against a complete build.

    python bench/last_answers.py FOLDER [--share 0.01]

FOLDER is that of `bench/full_size.py`, in which the step `run` has finished; it is left as it is.
In a copy, a share of the judge's answers is taken out of the landing file, the queue is brought up
to date, and the answers land again. Prints CPU-seconds of the update of the queue after that, which
a run waits for before it asks on, and of a complete build of a new warehouse.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from latent_probes import landing
from latent_probes.common.home import Home
from latent_probes.warehouse import builds

FILES = ("landing.duckdb", "warehouse.duckdb", "warehouse.json", "versions.json")


def main() -> None:
    """Take answers out, land them again, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.01)
    options = parser.parse_args()
    folder = options.folder.resolve()
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        here = Home(folder, Path(temporary))
        for name in FILES:
            shutil.copy2(folder / name, here.folder / name)
        with landing.opened(here.landing) as connection:
            connection.execute(
                """
                create table kept as
                from responses
                where
                    request_id in (select request_id from requests where stage = 'judge')
                    and hash(request_id) % 1000000 < 1000000 * ?
                """,
                [options.share],
            )
            connection.execute(
                "delete from responses where request_id in (select request_id from kept)"
            )
        builds.build_queue(here)
        with landing.opened(here.landing) as connection:
            (n_answers,) = landing.one(connection, "select count(*) from kept")
            connection.execute("insert into responses from kept")
            connection.execute("drop table kept")
        last = measured(lambda: builds.build_queue(here))
        for name in ("warehouse.duckdb", "warehouse.json", "versions.json"):
            (here.folder / name).unlink()
        complete = measured(lambda: builds.build(here, tested=False))
    print("| build | CPU-s | s |\n|---|---:|---:|")
    print(f"| the queue, after {n_answers:,} answers landed | {last[0]:.1f} | {last[1]:.1f} |")
    print(f"| complete | {complete[0]:.1f} | {complete[1]:.1f} |")
    print(f"| share | {100 * last[0] / complete[0]:.1f} % | {100 * last[1] / complete[1]:.1f} % |")


def measured(step: Callable[[], None]) -> tuple[float, float]:
    """CPU-seconds and seconds of a step."""
    started, before = time.monotonic(), cpu()
    step()
    return cpu() - before, time.monotonic() - started


def cpu() -> float:
    """CPU-seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
