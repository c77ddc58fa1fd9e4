"""The schema of a file: what each of our columns must be, and the rules that refuse a value.

All formats give texts as texts, and numbers as the text that a file writes for them, so that one
rule decides for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from latent_probes.common import sql
from latent_probes.table_files.sources import FileError, Source

# A number of JSON. Everything that is not one, such as NaN, is written otherwise.
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"
GROUPED = r"-?[0-9]+\.[0-9]{3}"
SHOWN_CHARACTERS = 40
SHOWN_NAMES = 30


@dataclass(frozen=True)
class Text:
    """A text; for identifiers, integers are read as texts too."""

    or_integer: bool = False
    words = "a text"


@dataclass(frozen=True)
class Texts:
    """A list of texts."""

    words = "a list of texts"


@dataclass(frozen=True)
class Number:
    """A finite number from ``low`` to ``high``, both included, as the text of a JSON number.

    A ``whole`` number with three digits after the point is refused, since `1.000` is a thousand to
    many. ``called`` says in messages what it must be.
    """

    low: int
    high: int
    whole: bool = False
    called: str = ""

    @property
    def words(self) -> str:
        """What a value must be."""
        if self.called:
            return self.called
        what = "an integer" if self.whole else "a number"
        return f"{what} from {self.low} to {self.high}"

    def accepts(self, value: str) -> str:
        """SQL: whether the text ``value``, which is not null, is such a number."""
        kind = "hugeint" if self.whole else "double"
        number = f"try_cast({value} as {kind})"
        rules = [
            f"regexp_full_match({value}, {sql.literal(NUMBER)})",
            f"coalesce({number} between {self.low} and {self.high}, false)",
        ]
        if self.whole:
            rules.append(f"not regexp_full_match({value}, {sql.literal(GROUPED)})")
            # The cast rounds.
            rules.append(f"try_cast({value} as double) = floor(try_cast({value} as double))")
        return f"({' and '.join(rules)})"

    def stored(self, value: str) -> str:
        """SQL: the text of the number; of an integer, without a fraction of zeros."""
        return f"try_cast({value} as hugeint)::varchar" if self.whole else value


def accepts(kind: Number, value: str) -> bool:
    """Whether a text is such a number, by the rule of the files."""
    with duckdb.default_connection().cursor() as connection:
        found = connection.execute(f"select {kind.accepts('$value')}", {"value": value}).fetchone()
    return bool(found and found[0])


@dataclass(frozen=True)
class Column:
    """A column to read.

    ``theirs`` is its name in the file; a file without a ``required`` column is refused, and so is
    a null in a column that is not ``nullable``. An empty CSV field is null, or with
    ``empty_is_text`` an empty text.
    """

    ours: str
    theirs: str
    kind: Text | Texts | Number
    required: bool = True
    nullable: bool = False
    empty_is_text: bool = False

    def value(self, raw: str) -> str:
        """SQL of the value to keep, over the value that was read."""
        return self.kind.stored(raw) if isinstance(self.kind, Number) else raw

    def problems(self, raw: str) -> list[str]:
        """Branches of a case that report a wrong value."""
        found = []
        if not self.nullable:
            found.append(f"when {raw} is null then {sql.literal(self.theirs + ' is null')}")
        if isinstance(self.kind, Number):
            shown = f"{sql.literal(self.theirs + ' is ')} || left({raw}, {SHOWN_CHARACTERS})"
            found.append(
                f"when {raw} is not null and not {self.kind.accepts(raw)} "
                f"then {shown} || {sql.literal(', not ' + self.kind.words)}"
            )
        if isinstance(self.kind, Texts):
            found.append(
                f"when list_contains(list_transform({raw}, lambda x: x is null), true) "
                f"then {sql.literal('a text in the list ' + self.theirs + ' is null')}"
            )
        return found


def checked(rows: str, columns: list[Column], raw: dict[str, str], problem: str = "null") -> str:
    """SQL of the checked rows: row_number, the first problem of a row, and our columns.

    ``rows`` is a table with the file's rows in order, ``raw`` has an expression over it for each
    column that the file has, and ``problem`` is what the format itself found.
    """
    branches, values = [f"when {problem} is not null then {problem}"], []
    for column in columns:
        if column.ours in raw:
            branches += column.problems(raw[column.ours])
            values.append(f"{column.value(raw[column.ours])} as {column.ours}")
        else:
            kind = "varchar[]" if isinstance(column.kind, Texts) else "varchar"
            values.append(f"null::{kind} as {column.ours}")
    return (
        f"(select row_number, case {' '.join(branches)} end as problem, {', '.join(values)} "
        f"from {rows})"
    )


def refuse_wrong_names(
    source: Source, columns: list[Column], found: list[str], remedy: str, hint: str | None
) -> None:
    """Raise FileError if columns are missing, ambiguous, or differ in case only.

    ``remedy`` says what the command offers for a column that is missing, ``hint`` is a better
    remedy, if there is one.
    """
    for column in columns:
        if found.count(column.theirs) > 1:
            raise FileError(
                f"{source.place}, row 1: column {shown(column.theirs)} occurs "
                f"{found.count(column.theirs)} times; rename or drop all but one"
            )
    missing = [column for column in columns if column.theirs not in found]
    for column in missing:
        similar = [name for name in found if bare(name) == bare(column.theirs)]
        if similar:
            raise FileError(
                f"{source.place}, row 1: no column {shown(column.theirs)}, but "
                f"{shown(similar[0])}: names are compared exactly; rename it{remedy}"
            )
    if absent := [shown(column.theirs) for column in missing if column.required]:
        raise FileError(
            f"{source.place}, row 1: no column {' nor '.join(absent)} among {listed(found)}; "
            + (hint or f"add the missing columns{remedy}")
        )


def bare(name: str) -> str:
    """A name without case and without space around it."""
    return name.strip().casefold()


def shown(name: str) -> str:
    """A name in quotes, shortened."""
    return repr(name if len(name) <= SHOWN_CHARACTERS else name[:SHOWN_CHARACTERS] + "…")


def listed(names: list[str]) -> str:
    """Names for a message, shortened."""
    short = [name[:SHOWN_CHARACTERS] for name in names[:SHOWN_NAMES] if name]
    more = [f"… ({len(names):,} columns)"] if len(names) > SHOWN_NAMES else []
    return ", ".join(short + more) or "none"
