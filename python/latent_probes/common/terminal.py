"""Terminal output: progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from latent_probes.common import limits

# Used if the output is not a terminal.
WIDTH_OF_FILES = 160
BAR_WIDTH = 32
SECONDS_BETWEEN_LINES = 10.0


def forgive(stream: TextIO) -> None:
    """Let a stream show a question mark for a character that its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")


forgive(sys.stdout)
forgive(sys.stderr)
console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDTH_OF_FILES)
errors = Console(stderr=True, highlight=False)
last_waited_for = ""


@contextmanager
def as_wide_as(width: int) -> Iterator[None]:
    """Print lines of up to ``width`` cells in the block, if the output is not that wide."""
    usual = console.width
    if width > usual:
        console.width = width
    try:
        yield
    finally:
        if width > usual:
            console.width = usual


def say(message: str) -> None:
    """Print one line, with control characters (for example from a server) made harmless."""
    console.print(Text(printable(from_here(message))), soft_wrap=True)


def say_landed(n_landed: int, n_rows: int, what: str) -> None:
    """Say how many of some rows have landed, and what became of the others."""
    rest = "; the rest had already landed" if n_landed < n_rows else ""
    say(f"landed {n_landed:,} of {n_rows:,} {what}{rest}")


def from_here(message: str) -> str:
    """A message in which files below the current directory are named relative to it."""
    with suppress(FileNotFoundError):  # The current directory was removed.
        message = message.replace(f"{Path.cwd()}{os.sep}", "")
    return message


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
    mark = "#" if console.options.ascii_only else "█"
    return (mark * round(share * BAR_WIDTH)).ljust(BAR_WIDTH)


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


class Progress:
    """Units done so far: call it with the number just completed."""

    def __init__(self, total: int | None, update: Callable[[Progress], None]):
        self.done = 0
        self.total = total
        self.update = update
        self.lock = threading.Lock()

    def __call__(self, more: int) -> None:
        """Count units that were just completed, by any thread."""
        with self.lock:
            self.done += more
        self.update(self)

    def expect(self, total: int) -> None:
        """State how many units there are in all."""
        self.total = total
        self.update(self)


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Progress]:
    """Show progress: a bar on a terminal; elsewhere a line when it grew, and one at the end."""
    if not console.is_terminal:
        counted = Progress(total, lambda _: None)
        said = 0

        def say_what_was_added() -> None:
            nonlocal said
            if counted.done > said:
                said = counted.done
                say(f"{what}: {so_far(counted)} {unit} so far")

        with repeated(say_what_was_added):
            yield counted
        say(f"{what}: {counted.done:,} {unit}")
        return

    from rich import progress as bars

    with bars.Progress(
        "{task.description}",
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        unit,
        bars.TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield Progress(
            total, lambda counted: bar.update(task, completed=counted.done, total=counted.total)
        )


def so_far(counted: Progress) -> str:
    """The units done, and how many there are, if that is known."""
    return f"{counted.done:,}" + (f" of {counted.total:,}" if counted.total else "")


@contextmanager
def repeated(report: Callable[[], None]) -> Iterator[None]:
    """Call ``report`` every few seconds, beside the work of the block."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(SECONDS_BETWEEN_LINES):
            report()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
