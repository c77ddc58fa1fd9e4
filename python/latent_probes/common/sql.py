"""SQL identifiers and literals."""

from __future__ import annotations

import re
from pathlib import Path


def identifier(name: str) -> str:
    """Quote a column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """Quote a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Quote the path of one file as an SQL literal, for DuckDB functions that take a glob."""
    # In brackets, wildcards are literal.
    return literal(re.sub(r"([*?[])", r"[\1]", str(path)))
