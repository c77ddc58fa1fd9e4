"""Several processes use one home: who builds holds the lock, who only looks disturbs nobody."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT
from filelock import FileLock
from landing_house import empty_landing

from latent_probes import landing, warehouse
from latent_probes.common import home, locks
from latent_probes.common.home import BusyError, Home
from latent_probes.warehouse import builds, copies, stamps

HOLDER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reads")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Home:
    """A home with a warehouse that was built, of a project with seeds and no models."""
    for name in ("seeds", "dbt_project.yml", "macros"):
        (tmp_path / name).symlink_to(ROOT / name)
    made = Home(tmp_path, tmp_path / "home")
    made.folder.mkdir()
    empty_landing(made.landing)
    with duckdb.connect(str(made.warehouse)) as connection:
        connection.execute("create table built as select 1 as n")
    stamps.stamp(made, stamps.state(made), tested=True)
    return made


@pytest.fixture
def held():
    """A function that has another process open a file; they end with the test."""
    processes = []

    def hold(path: Path, how: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), how], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process.pid

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def built(monkeypatch) -> list[tuple[Home, bool]]:
    """The homes that were built, and whether their lock was held then."""
    found = []
    for step in ("update", "test"):
        monkeypatch.setattr(
            builds, step, lambda home, *_: found.append((home, is_locked(home.lock)))
        )
    return found


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def show(here: Home) -> None:
    """A report on the warehouse."""
    with warehouse.opened(here) as connection:
        assert connection.execute("from built").fetchall() == [(1,)]


def change(here: Home) -> None:
    """Change the landing file, so that the warehouse is not current."""
    with landing.opened(here.landing) as connection:
        connection.execute("insert into token_counts values (uuid(), 'm', 'h', 1, now())")


def test_whoever_builds_holds_the_lock(here, built):
    change(here)
    warehouse.build(here, tested=True)
    assert built == [(here, True)] * 2
    assert not is_locked(here.lock)


def test_a_process_can_lock_its_home_again_and_others_are_told_who_holds_it(here):
    with home.locked(here), home.locked(here):
        pass
    assert not is_locked(here.lock)
    program = "from filelock import FileLock; FileLock({!r}, timeout=0).acquire()"
    with home.locked(here):
        said = here.lock.read_text()
        assert said.startswith("pytest") or "PID" in said
        failed = subprocess.run(
            [sys.executable, "-c", program.format(str(here.lock))], capture_output=True
        )
        assert failed.returncode != 0
        assert here.lock.read_text() == said


def test_a_busy_home_is_refused_with_the_name_of_the_command(here):
    with FileLock(here.lock):
        here.lock.write_text("latent-probes run (PID 7, since 2026-11-26 12:00)")
        holder = r"latent-probes run \(PID 7, since .* is using .*home"
        with pytest.raises(BusyError, match=holder), home.locked(here):
            pass


def test_what_only_looks_shows_the_last_build_while_a_command_works(here, built, capsys):
    change(here)
    with FileLock(here.lock):
        here.lock.write_text("latent-probes run (PID 7)")
        warehouse.show_last_build(here, show)
    assert built == []
    said = capsys.readouterr().out
    assert said.startswith(f"latent-probes run (PID 7) is using {here.folder}: this is the last")
    assert time.strftime("of %Y-%m-%d") in said


def test_what_only_looks_shows_the_last_build_while_a_file_is_open(here, built, held, capsys):
    change(here)
    pid = held(here.warehouse, "reads")
    started = time.monotonic()
    warehouse.show_last_build(here, show)
    assert time.monotonic() - started < 2
    assert built == []
    assert f"(PID {pid}): this is the last build" in capsys.readouterr().out


def test_a_warehouse_that_is_current_is_not_locked(here, built):
    with FileLock(here.lock):
        warehouse.show_last_build(here, show)
    assert built == []


@pytest.mark.parametrize("lacks", ["a stamp", "a table"])
def test_without_a_complete_build_a_temporary_one_is_shown(lacks, here, built, capsys):
    """As during the first run of a home, which builds only what it asks from."""
    change(here)
    if lacks == "a stamp":
        here.stamp.unlink()
    shown = []

    def report(home):
        if lacks == "a table" and home == here:
            with warehouse.opened(home) as connection:
                connection.execute("from round_status")
        shown.append(home)

    with FileLock(here.lock):
        warehouse.show_last_build(here, report)
    ((made, _),) = built
    assert shown == [made] and made != here
    assert "building a temporary warehouse" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["reads", "writes"])
def test_a_plan_is_made_beside_a_file_that_is_open(how, here, built, held, capsys):
    change(here)
    pid = held(here.warehouse, how)
    with warehouse.built_here_or_beside(here) as there:
        ((made, was_locked),) = built
        assert made == there != here and was_locked
        # What another process writes cannot be copied, and is built from the start.
        assert there.warehouse.exists() == (how == "reads")
        assert landing.contents(there.landing) == landing.contents(here.landing)
    assert not there.folder.exists()
    assert f"(PID {pid}): building a temporary warehouse" in capsys.readouterr().out


def test_a_copy_that_was_written_meanwhile_is_made_again(here, monkeypatch, tmp_path):
    there = Home(here.project, tmp_path / "there")
    there.folder.mkdir()
    copied = []

    def copy(source, target):
        copied.append(source)
        if len(copied) < 3:
            change(here)
        copy_database(source, target)

    copy_database = copies.copy_database
    monkeypatch.setattr(copies, "copy_database", copy)
    copies.copy_landing(here, there)
    assert len(copied) == 3
    assert landing.contents(there.landing) == landing.contents(here.landing)


def test_only_what_changed_is_built_in_the_copy(here, held, monkeypatch):
    known = []
    monkeypatch.setattr(
        builds, "update", lambda home, *_: known.append((home, home.versions.read_text()))
    )
    here.versions.write_text("what is known")
    change(here)
    held(here.warehouse, "reads")
    with warehouse.built_here_or_beside(here) as there:
        assert known == [(there, "what is known")]


def test_an_open_file_is_named_within_two_seconds(here, held, monkeypatch, capsys):
    assert locks.QUIET_SECONDS < 2 - locks.POLL_SECONDS
    monkeypatch.setattr(locks, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(locks, "TIMEOUT_SECONDS", 0.5)
    pid = held(here.warehouse, "reads")
    who = rf"open in python[0-9.]* \(PID {pid}\)"
    with (
        pytest.raises(warehouse.WarehouseError, match=f"warehouse.duckdb is {who}: close it"),
        builds.writing(here),
    ):
        pass
    assert f"waiting for {here.warehouse}, which is open in python" in capsys.readouterr().out


def test_readers_of_the_landing_file_disturb_no_reader(here, held):
    held(here.landing, "reads")
    assert landing.contents(here.landing)
    builds.refuse_invalid(here)
    assert not warehouse.is_calibration(here)


def test_status_and_plan_of_a_busy_home(finished):
    change(Home(finished.folder, finished.home))
    before = (finished.home / "warehouse.duckdb").stat()
    with FileLock(finished.home / "run.lock"):
        said = finished.runs("latent-probes", "status")
        assert "is using" in said and "this is the last build, of " in said
        assert "20 of 20" in said
        said = finished.runs("latent-probes", "plan")
        assert "building a temporary warehouse" in said
        assert "Expected cost: $0.00" in said
        # What cannot be counted now is estimated, and the reason comes last.
        said = finished.fails("latent-probes", "plan", "--provider", "lexical")
        assert "Expected cost: $0.00" in said and "wait for it to finish" in said
    assert (finished.home / "warehouse.duckdb").stat().st_mtime_ns == before.st_mtime_ns
