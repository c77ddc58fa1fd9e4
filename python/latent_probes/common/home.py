"""Where things lie: the dbt project in the current folder, the files in LATENT_PROBES_HOME."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock


class HomeError(Exception):
    """The command was not run where it can work; the message says where."""


@dataclass(frozen=True)
class Home:
    """The project's folder, and the folder of everything that a run makes."""

    project: Path
    folder: Path

    @property
    def landing(self) -> Path:
        """What came from outside. Keep it."""
        return self.folder / "landing.duckdb"

    @property
    def warehouse(self) -> Path:
        """What dbt made of it. May be deleted."""
        return self.folder / "warehouse.duckdb"

    @property
    def batches(self) -> Path:
        """Bodies and results of batches under way."""
        return self.folder / "batches"

    @property
    def downloads(self) -> Path:
        """Files of the Hub until they have landed. May be deleted."""
        return self.folder / "downloads"

    @property
    def export(self) -> Path:
        """The data set."""
        return self.folder / "export"

    @property
    def export_stamp(self) -> Path:
        """Of which warehouse the data set is an export."""
        return self.folder / "export.json"

    @property
    def pushed(self) -> Path:
        """Which states of data sets on the Hub were seen."""
        return self.folder / "pushed.json"

    @property
    def calibration(self) -> Path:
        """The home of the calibration: the same documents at several levels, never published."""
        return self.folder / "calibration"

    @property
    def stamp(self) -> Path:
        """From what the warehouse was built, and whether its tests passed."""
        return self.folder / "warehouse.json"

    @property
    def lock(self) -> Path:
        """Held while a command writes."""
        return self.folder / "run.lock"


def find() -> Home:
    """The home that the current folder and the environment name.

    Raises HomeError outside a checkout of the project.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dbt_project.yml").exists():
            # As profiles.yml has it: relative to the project.
            files = folder / os.environ.get("LATENT_PROBES_HOME", ".")
            files.mkdir(parents=True, exist_ok=True)
            return Home(folder, files)
    raise HomeError(
        f"no dbt_project.yml in {Path.cwd()} or above: "
        "run latent-probes in a checkout of the project"
    )


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Keep every other command that writes out of ``home``; a killed one lets go by itself.

    Raises HomeError if another process is at work there.
    """
    try:
        with filelock.FileLock(home.lock, timeout=0):
            yield
    except filelock.Timeout:
        raise HomeError(
            f"another command is at work in this home (it holds {home.lock}): wait for it to end, "
            "or stop it; nothing was sent"
        ) from None
