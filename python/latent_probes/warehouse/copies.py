"""Look at a home while another process uses it: its last build, or a temporary warehouse."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import duckdb

from latent_probes import landing
from latent_probes.common import files, locks, terminal
from latent_probes.common.home import Home
from latent_probes.warehouse.builds import build, build_if_free
from latent_probes.warehouse.errors import WarehouseError
from latent_probes.warehouse.stamps import stamped, state

MOST_COPIES = 5


def show_last_build(home: Home, show: Callable[[Home], None]) -> None:
    """Call ``show`` with a home whose warehouse is up to date, or else is the last complete build.

    While another process is in the way, says of when that build is; if there is none, builds a
    temporary warehouse.
    """
    reason = build_if_free(home)
    if reason is None:
        show(home)
        return
    if home.stamp.exists() and home.warehouse.exists():
        built_at = datetime.fromtimestamp(home.stamp.stat().st_mtime)
        terminal.say(f"{reason}: this is the last build, of {built_at:%Y-%m-%d %H:%M}")
        # Another version of the project can have other tables.
        with suppress(duckdb.CatalogException):
            show(home)
            return
    with built_beside(home, reason) as there:
        show(there)


@contextmanager
def built_here_or_beside(home: Home) -> Iterator[Home]:
    """A home whose warehouse is up to date: this one or, if another process uses it, a copy."""
    reason = build_if_free(home)
    if reason is None:
        yield home
        return
    with built_beside(home, reason) as there:
        yield there


@contextmanager
def built_beside(home: Home, reason: str) -> Iterator[Home]:
    """A temporary copy of a home with a warehouse that is up to date; disturbs no other process."""
    terminal.say(f"{reason}: building a temporary warehouse")
    with tempfile.TemporaryDirectory(prefix="latent-probes-") as folder:
        there = Home(home.project, Path(folder).resolve())
        copy_files(home, there)
        build(there, tested=False)
        yield there


def copy_files(home: Home, there: Home) -> None:
    """Copy the landing file, and the warehouse if it is readable and as its last build left it."""
    copy_landing(home, there)
    noted = stamped(home)
    if noted is None or noted["state"]["warehouse"] != state(home)["warehouse"]:
        return
    try:
        connection = duckdb.connect(str(home.warehouse), read_only=True)
    except duckdb.Error as error:
        if locks.holder(error):
            return
        raise WarehouseError(f"{home.warehouse}: {locks.reason(error)}") from error
    copy_database(home.warehouse, there.warehouse)
    shutil.copy2(home.stamp, there.stamp)
    if home.versions.exists():
        shutil.copy2(home.versions, there.versions)
    connection.close()


def copy_landing(home: Home, there: Home) -> None:
    """Copy the landing file while no process writes it, and without keeping one from writing."""
    for _ in range(MOST_COPIES):
        # Waits for a process that writes it now.
        with landing.looked_at(home.landing):
            before = files.same_database(home.landing)
        copy_database(home.landing, there.landing)
        if files.same_database(home.landing) == before:
            return
    raise WarehouseError(f"{home.landing} changes faster than it can be copied: run again later")


def copy_database(source: Path, target: Path) -> None:
    """Copy a DuckDB file and its log, with their times."""
    for suffix in ("", ".wal"):
        if (file := source.with_name(source.name + suffix)).exists():
            shutil.copy2(file, target.with_name(target.name + suffix))
