"""What people see while something runs: progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

# Without a terminal there is no width to keep to.
WIDTH_OF_FILES = 160
BAR_WIDTH = 32

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDTH_OF_FILES)
errors = Console(stderr=True, highlight=False)
last_waited_for = ""


def say(message: str) -> None:
    """Print one line; what a server said in it is no order to the terminal."""
    console.print(Text(printable(message)), soft_wrap=True)


def printable(text: str) -> str:
    """``text`` with control and format characters made visible: a terminal obeys them."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def dollars(column: str, decimals: int = 2) -> str:
    """SQL for a column of dollars as people read it; an unknown price is no price of nothing."""
    return f"coalesce('$' || format('{{:,.{decimals}f}}', {column}), 'no price known')"


def bar(share: float) -> str:
    """A bar as long as a share, padded to the length of the whole."""
    return ("█" * round(share * BAR_WIDTH)).ljust(BAR_WIDTH)


def wait(seconds: float, message: str) -> None:
    """Sleep, and say for what: a turning wheel on a terminal, a line elsewhere when it changes."""
    global last_waited_for
    if console.is_terminal:
        with console.status(Text(printable(message))):
            time.sleep(seconds)
        return
    if message != last_waited_for:
        say(message)
    last_waited_for = message
    time.sleep(seconds)


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far something is; yields a function that takes how much more is done."""
    if not console.is_terminal:
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more

        yield count
        say(f"{what}: {done:,} {unit}")
        return

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        unit,
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.update(task, advance=more)
