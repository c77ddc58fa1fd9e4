"""Terminal output: progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from latent_probes.common import limits

# Used if the output is not a terminal.
WIDTH_OF_FILES = 160
BAR_WIDTH = 32

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDTH_OF_FILES)
errors = Console(stderr=True, highlight=False)
last_waited_for = ""


def say(message: str) -> None:
    """Print one line, with control characters (for example from a server) made harmless."""
    console.print(Text(printable(message)), soft_wrap=True)


def printable(text: str) -> str:
    """Replace control and format characters in ``text``: a terminal would obey them.

    Lone surrogates are replaced too, since they cannot be printed.
    """
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def shortened(text: str, most: int = limits.SHOWN_CHARACTERS) -> str:
    """Text from outside as one line of at most ``most`` characters, harmless in a terminal."""
    line = printable(" ".join(text[: 10 * most].split()))
    return line if len(line) <= most and len(text) <= 10 * most else f"{line[:most]}…"


def dollars(column: str, decimals: int = 2) -> str:
    """SQL that formats a column of dollars; null is shown as unknown, not as 0."""
    return f"coalesce('$' || format('{{:,.{decimals}f}}', {column}), 'unknown')"


def bar(share: float) -> str:
    """A text bar for a share from 0 to 1, padded to full width."""
    return ("█" * round(share * BAR_WIDTH)).ljust(BAR_WIDTH)


def wait(seconds: float, message: str) -> None:
    """Sleep and show ``message``: a spinner on a terminal, elsewhere a line when it changes."""
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
    """Show progress; yields a function that takes the number of units just completed."""
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
