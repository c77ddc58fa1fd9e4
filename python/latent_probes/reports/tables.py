"""Print the result of a query as a table."""

from __future__ import annotations

import duckdb
from rich import box
from rich.table import Table
from rich.text import Text

from latent_probes.common import terminal


def print_table(connection: duckdb.DuckDBPyConnection, title: str, query: str) -> None:
    """Print the result of a query as a table; numbers and dollars are right-aligned."""
    rows = connection.execute(query).fetchall()
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for (name, *_), *values in zip(connection.description, *rows, strict=True):
        is_number = all(
            isinstance(value, int | float | None) or str(value).startswith("$") for value in values
        )
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row))
    if not rows:
        table.caption = "none"
    terminal.console.print(table)


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
