"""Context managers around the work of commands: lock the home, report an interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from latent_probes.common.home import Home


@contextmanager
def working(if_interrupted: str) -> Iterator[Home]:
    """Lock the home for this process and yield it; on Ctrl-C print ``if_interrupted``, exit 130.

    Raises HomeError outside a project, or while another process holds the lock.
    """
    from latent_probes.common import home, terminal

    here = home.find()
    with interruptible(lambda: terminal.say(f"interrupted: {if_interrupted}")), home.locked(here):
        yield here


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
        raise typer.Exit(130) from None
