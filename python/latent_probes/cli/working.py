"""What every command that writes has around its work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from latent_probes.common.home import Home


@contextmanager
def working(if_interrupted: str) -> Iterator[Home]:
    """The home, locked for this process; Ctrl-C says ``if_interrupted`` and exits with 130.

    Raises HomeError outside a project, or while another process holds the lock.
    """
    from latent_probes.common import home, terminal

    here = home.find()
    with interruptible(lambda: terminal.say(f"interrupted: {if_interrupted}")), home.locked(here):
        yield here


@contextmanager
def interruptible(say: Callable[[], None]) -> Iterator[None]:
    """Where Ctrl-C ends the block: say so, and exit with 130."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as stop:
        # What Ctrl-C becomes when it reaches DuckDB in the middle of a query.
        if isinstance(stop, RuntimeError) and str(stop) != "Query interrupted":
            raise
        say()
        raise typer.Exit(130) from None
