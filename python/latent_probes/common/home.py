"""Paths: the dbt project (the current directory) and its files (LATENT_PROBES_HOME)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock


class HomeError(Exception):
    """The command cannot work in this directory; the message says what to do."""


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
    def lock(self) -> Path:
        """Lock file, held while a command writes."""
        return self.folder / "run.lock"


def find() -> Home:
    """Find the home from the current directory and the environment.

    Raises HomeError outside a checkout of the project.
    """
    project = project_directory()
    if project is None:
        raise HomeError(
            f"no dbt_project.yml in {Path.cwd()} or a parent directory: "
            "run latent-probes in a checkout of the project"
        )
    # Relative to the project, as in profiles.yml.
    files = project / os.environ.get("LATENT_PROBES_HOME", ".")
    files.mkdir(parents=True, exist_ok=True)
    return Home(project, files)


def project_directory() -> Path | None:
    """The current directory or its nearest parent that is a checkout of the project, if any."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dbt_project.yml").exists():
            return folder
    return None


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Lock ``home`` against other commands that write; a killed process releases the lock.

    Raises HomeError if another process holds the lock.
    """
    try:
        with filelock.FileLock(home.lock, timeout=0):
            yield
    except filelock.Timeout:
        raise HomeError(
            f"another command is using this home (it holds {home.lock}): wait for it to finish, "
            "or stop it; nothing was changed"
        ) from None
