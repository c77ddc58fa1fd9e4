"""Names and texts as SQL writes them."""

from __future__ import annotations

import re
from pathlib import Path


def identifier(name: str) -> str:
    """A name of a column as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """The path of one file, as an SQL literal, where DuckDB takes a pattern of paths."""
    # Wildcards stand for themselves in brackets.
    return literal(re.sub(r"([*?[])", r"[\1]", str(path)))
