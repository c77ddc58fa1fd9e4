"""Paths: the dbt project (the current directory) and its files (LATENT_PROBES_HOME)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import filelock

VARIABLE = "LATENT_PROBES_HOME"
# The name of the project in its dbt_project.yml.
PROJECT = re.compile(r"""^name:\s*["']?latent_probes["']?\s*(#.*)?$""", re.MULTILINE)


class HomeError(Exception):
    """The command cannot work in this directory; the message says what to do."""


class BusyError(HomeError):
    """Another command, ``holder``, uses this home; the message says what to do."""

    def __init__(self, home: Home, holder: str):
        super().__init__(
            f"{holder} is using {home.folder}: wait for it to finish, or stop it; nothing was "
            "changed"
        )
        self.holder = f"{holder} is using {home.folder}"


@dataclass(frozen=True)
class Home:
    """The project's directory and the directory of all files that commands write."""

    project: Path
    folder: Path

    @property
    def landing(self) -> Path:
        """The landing file: all raw data. Keep it."""
        return self.folder / "landing.duckdb"

    @property
    def warehouse(self) -> Path:
        """The warehouse that dbt builds from the landing file. Can be deleted."""
        return self.folder / "warehouse.duckdb"

    @property
    def batches(self) -> Path:
        """Request bodies and results of open batches."""
        return self.folder / "batches"

    @property
    def downloads(self) -> Path:
        """Files from the Hub until they have landed. Can be deleted."""
        return self.folder / "downloads"

    @property
    def export(self) -> Path:
        """The exported data set."""
        return self.folder / "export"

    @property
    def export_stamp(self) -> Path:
        """Identity of the warehouse that was exported."""
        return self.folder / "export.json"

    @property
    def made_elsewhere(self) -> Path:
        """The files of the data set that the last build on a cluster has written, and where."""
        return self.folder / "cluster.json"

    @property
    def pushed(self) -> Path:
        """Revisions of data sets on the Hub that were seen here."""
        return self.folder / "pushed.json"

    @property
    def calibration(self) -> Path:
        """Home directory of the calibration, which is never published."""
        return self.folder / "calibration"

    @property
    def stamp(self) -> Path:
        """The inputs that the warehouse was built from, and whether its tests passed."""
        return self.folder / "warehouse.json"

    @property
    def versions(self) -> Path:
        """What each table of the warehouse was made of. Can be deleted."""
        return self.folder / "versions.json"

    @property
    def lock(self) -> Path:
        """Lock file, held while a command writes."""
        return self.folder / "run.lock"


def find(*, is_made: bool = False) -> Home:
    """Find the home from the current directory and the environment.

    With ``is_made``, makes its directory. Raises HomeError outside a checkout of the project, and
    if the directory does not exist or cannot be used.
    """
    file = project_file()
    if file is None:
        raise HomeError(
            "no dbt_project.yml in the current directory or a parent of it: "
            "run latent-probes in a checkout of the project"
        )
    if not is_ours(file):
        raise HomeError(
            f"{file} is the file of another dbt project, in which nothing was written: "
            "run latent-probes in a checkout of its own project"
        )
    project = file.parent
    # Relative to the project, as in profiles.yml.
    folder = project / os.environ.get(VARIABLE, ".")
    home = Home(project, folder)
    # DuckDB changes ? and \\ in the paths of its files, and dbt cuts a path at #.
    unusable = re.search(r"[?\\]", str(folder)) or re.search("#", path_for_dbt(home))
    if unusable:
        raise HomeError(
            f"{VARIABLE} is {str(folder)!r}, and no DuckDB file can be used at a path with "
            f"{unusable[0]!r} in it: use another directory"
        )
    try:
        if is_made:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.exists():
            raise HomeError(
                f"{VARIABLE} is {str(folder)!r}, which does not exist: correct it, or land "
                "rollouts there first with `latent-probes land`"
            )
        elif not folder.is_dir():
            raise FileExistsError
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise HomeError(
            f"{VARIABLE} is {str(folder)!r}, which cannot be used as a directory ({reason}): use "
            "another one"
        ) from error
    return home


def refuse_empty(home: Home) -> None:
    """Raise HomeError if nothing has ever landed in a home."""
    if not home.landing.exists():
        raise HomeError(
            f"nothing has landed in {home.folder}: land rollouts there first with `latent-probes "
            f"land`, or set {VARIABLE} to the home that you mean"
        )


def path_for_dbt(home: Home) -> str:
    """The home's path as profiles.yml gets it: relative to the project, where dbt works."""
    return os.path.relpath(home.folder, home.project)


def project_directory() -> Path | None:
    """The current directory or its nearest parent that is a dbt project, if that is this one."""
    file = project_file()
    return file.parent if file is not None and is_ours(file) else None


def project_file() -> Path | None:
    """The dbt_project.yml of the current directory or of its nearest parent that has one."""
    # The current directory can be gone, and a parent unreadable.
    with suppress(OSError):
        for folder in (Path.cwd(), *Path.cwd().parents):
            if (folder / "dbt_project.yml").is_file():
                return folder / "dbt_project.yml"
    return None


def is_ours(file: Path) -> bool:
    """Whether a dbt_project.yml is of this project; one that cannot be read might be."""
    try:
        return PROJECT.search(file.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return True


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Lock ``home`` against other commands that write; a killed process releases the lock.

    A process that holds the lock can lock it again. Raises BusyError, which names the command, if
    another process holds it.
    """
    try:
        lock = filelock.FileLock(home.lock, timeout=0, is_singleton=True)
        with lock:
            if lock.lock_counter == 1:
                command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
                since = f"{datetime.now():%Y-%m-%d %H:%M}"
                # On a full disk it stays unnamed.
                with suppress(OSError):
                    home.lock.write_text(
                        f"{command} (PID {os.getpid()}, since {since})", encoding="utf-8"
                    )
            yield
    except filelock.Timeout:
        raise BusyError(home, lock_holder(home)) from None


def lock_holder(home: Home) -> str:
    """The command that holds the lock, as it has written there."""
    try:
        return home.lock.read_text(encoding="utf-8").strip() or "another command"
    except (OSError, UnicodeDecodeError):
        return "another command"
