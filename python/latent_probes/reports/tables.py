"""Print the result of a query as a table that fits the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
from rich import box
from rich.cells import cell_len, chop_cells
from rich.table import Table
from rich.text import Text

from latent_probes.common import terminal

# A column of texts is not made narrower than this, or than its longest text.
MIN_TEXT = 12
# White space between columns, on wide terminals and on narrow ones.
GAPS = (3, 2)
BREAK_AFTER = re.compile(r"(?<=[\s/_-])(?=[^\s/_-])")


@dataclass(frozen=True)
class Column:
    """A column: its name and its cells as they are printed, lines separated by line breaks."""

    name: str
    cells: list[str]
    is_number: bool
    is_right: bool

    @property
    def width(self) -> int:
        """The width of its widest line."""
        return max(cell_len(line) for text in (self.name, *self.cells) for line in lines(text))

    @property
    def min_width(self) -> int:
        """The width below which it is not read easily."""
        return self.width if self.is_number else min(self.width, MIN_TEXT)

    def stacked(self) -> Column:
        """The same with one part of its name per line."""
        return replace(self, name="\n".join(map(str.strip, BREAK_AFTER.split(self.name))))

    def wrapped(self, width: int) -> Column:
        """The same, with texts that are at most so wide."""
        return replace(
            self, name=folded(self.name, width), cells=[folded(cell, width) for cell in self.cells]
        )


def print_table(
    connection: duckdb.DuckDBPyConnection,
    title: str,
    query: str,
    optional: Sequence[str] = (),
    table: str = "",
) -> None:
    """Print the result of a query as a table; numbers and dollars are right-aligned.

    On a terminal that is too narrow, texts are wrapped, then the columns in ``optional`` are left
    out in that order, which a line below the table says, with the ``table`` of the warehouse that
    has them; at last, each row is printed as a paragraph. Elsewhere, no column is left out, and
    lines are as long as they must be.
    """
    rows = connection.execute(query).fetchall()
    columns = [
        Column(
            name,
            [shown(value) for value in values],
            is_number=all(
                isinstance(value, int | float | None) or is_usd(value) for value in values
            ),
            is_right=all(isinstance(value, int | float | None) for value in values)
            or any(map(is_usd, values)),
        )
        for (name, *_), *values in zip(connection.description, *rows, strict=True)
    ]
    width = terminal.console.width
    if not terminal.console.is_terminal:
        optional = ()
        width = max(width, least_width(columns, GAPS[-1]))
    for n_left_out in range(len(optional) + 1):
        left_out = optional[:n_left_out]
        kept = [column for column in columns if column.name not in left_out]
        for gap in GAPS:
            if fitting := fitted(kept, width, gap):
                with terminal.as_wide_as(width):
                    terminal.console.print(as_table(title, fitting, gap))
                if left_out:
                    names = ", ".join(column.name for column in columns if column not in kept)
                    terminal.say(f"Too narrow for: {names}. See {table}, or pipe the output.")
                return
    terminal.console.print(Text(f"\n{title}", style="bold"))
    for number in range(len(rows)):
        terminal.console.print(Text(paragraph(columns, number, width)), soft_wrap=True)
    terminal.console.print()


def print_fields(title: str, fields: dict[str, object]) -> None:
    """Print named texts under a title, wrapped to the terminal, without those that are null."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        if value is not None:
            grid.add_row(f"  {name}", Text(shown(value)))
    terminal.console.print(Text(f"\n{title}", style="bold"))
    terminal.console.print(grid)


def least_width(columns: list[Column], gap: int) -> int:
    """The width of the narrowest table of columns that can be read easily."""
    return sum(column.stacked().min_width for column in columns) + gap * len(columns) + 1


def fitted(columns: list[Column], width: int, gap: int) -> list[Column] | None:
    """The columns, wrapped so that they fit side by side; None if they would be too narrow."""
    room = width - gap * len(columns) - 1
    if sum(column.width for column in columns) <= room:
        return columns
    columns = [column.stacked() for column in columns]
    if sum(column.min_width for column in columns) > room:
        return None
    widths = [column.width for column in columns]
    while sum(widths) > room:
        # The widest text gives way first.
        _, place = max(
            (widths[place], -place)
            for place, column in enumerate(columns)
            if widths[place] > column.min_width
        )
        widths[-place] -= 1
    return [
        column if column.width <= room_for_it else column.wrapped(room_for_it)
        for column, room_for_it in zip(columns, widths, strict=True)
    ]


def as_table(title: str, columns: list[Column], gap: int) -> Table:
    """A table of columns that fit."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, gap - 2),
    )
    for column in columns:
        table.add_column(
            Text(column.name), justify="right" if column.is_right else "left", no_wrap=True
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    if not columns[0].cells:
        table.caption = "none"
    return table


def paragraph(columns: list[Column], number: int, width: int) -> str:
    """A row as a paragraph: each value after the name of its column."""
    pairs = [f"{column.name}: {' '.join(lines(column.cells[number]))}" for column in columns]
    found = [""]
    for pair in pairs:
        longer = f"{found[-1]}; {pair}" if found[-1] else pair
        if found[-1] and cell_len(longer) > width - 4:
            found.append(pair)
        else:
            found[-1] = longer
    indented = [line for pair in found for line in lines(folded(pair, width - 4))]
    return "  " + "\n    ".join(indented)


def lines(text: str) -> list[str]:
    """The lines of a cell; an empty one has one."""
    return text.split("\n")


def folded(text: str, width: int) -> str:
    """A text in lines of at most ``width`` cells, broken after spaces, hyphens and the like."""
    found: list[str] = []
    for line in lines(text):
        found.append("")
        for part in parts(line, width):
            if found[-1] and cell_len(found[-1] + part.rstrip()) > width:
                found.append("")
            found[-1] += part
    return "\n".join(line.rstrip() for line in found)


def parts(line: str, width: int) -> Iterator[str]:
    """A line in parts that can be on lines of their own, each at most ``width`` cells wide."""
    for part in BREAK_AFTER.split(line):
        if cell_len(part.rstrip()) <= width:
            yield part
        else:
            yield from chop_cells(part, width)


def is_usd(value: object) -> bool:
    """Whether a value is a sum of dollars."""
    return isinstance(value, str) and value.startswith("$")


def shown(value: object) -> str:
    """Format a value as text, with control characters in external text replaced."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return terminal.printable(str(value))
