"""Context managers around the work of commands: check, lock the home, end on Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from latent_probes.cli.failures import INTERRUPTED
from latent_probes.common.home import Home

RERUN = "rerun the same command to continue"


def started(*, makes_home: bool) -> Home:
    """The home of a command that starts; only commands that fill a home make its directory.

    Raises HomeError outside a project or without a home, and ProjectError if a var or a line of a
    seed is invalid.
    """
    from latent_probes import warehouse
    from latent_probes.common import home

    here = home.find(is_made=makes_home)
    warehouse.refuse_invalid_files(here)
    return here


@contextmanager
def working(if_interrupted: str, *, makes_home: bool = False) -> Iterator[Home]:
    """Lock the home for this process and yield it; on Ctrl-C print ``if_interrupted``, exit 130.

    Raises also HomeError while another process holds the lock.
    """
    from latent_probes.common import home

    with looking(if_interrupted, makes_home=makes_home) as here, home.locked(here):
        yield here


@contextmanager
def looking(if_interrupted: str = RERUN, *, makes_home: bool = False) -> Iterator[Home]:
    """Yield the home, unlocked; on Ctrl-C print ``if_interrupted``, exit 130."""
    from latent_probes.common import terminal

    with interruptible(lambda: terminal.say(f"interrupted: {if_interrupted}")):
        yield started(makes_home=makes_home)


@contextmanager
def interruptible(say: Callable[[], None]) -> Iterator[None]:
    """If Ctrl-C ends the block, call ``say`` and exit with code 130."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as stop:
        # DuckDB raises this if Ctrl-C arrives in the middle of a query.
        if isinstance(stop, RuntimeError) and str(stop) != "Query interrupted":
            raise
        say()
        raise typer.Exit(INTERRUPTED) from None
