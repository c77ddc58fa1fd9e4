"""SQL identifiers, literals, and expressions that the models write, too."""

from __future__ import annotations

import functools
import re
from pathlib import Path

# A link to the macros of the project, so that a wheel holds them, too.
MACROS = Path(__file__).parent / "macros"


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


@functools.cache
def macro(name: str, *arguments: str | tuple[str, ...]) -> str:
    """The SQL expression that a macro of the project writes, for macros that use nothing of dbt.

    So a rule that Python needs, too, has one home. Raises LookupError for an unknown name.
    """
    import jinja2

    environment = jinja2.Environment()
    for file in sorted(MACROS.glob("*.sql")):
        source = file.read_text(encoding="utf-8")
        if f"macro {name}(" in source:
            return str(getattr(environment.from_string(source).module, name)(*arguments))
    raise LookupError(name)


def excerpt(context: str, target: str, characters: str) -> str:
    """What an answerer is shown of a complement: its last or first characters, at the split."""
    return f"if({target} = 'suffix', right({context}, {characters}), left({context}, {characters}))"
