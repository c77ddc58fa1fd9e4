"""Read the lines of the seeds, whose columns and types are in seeds/_seeds.yml."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from latent_probes.warehouse.faults import ProjectError, raise_if_any, shown
from latent_probes.warehouse.project_vars import read_yaml

RULES_FILE = "seeds/_seeds.yml"
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
# A bigint holds every number of 18 digits.
INTEGERS = range(-(2**31), 2**31)
NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE]-?[0-9]{1,3})?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LINE_END = re.compile(r"\r\n|\r|\n")
TYPES = {
    "bigint": "a whole number",
    "integer": f"a whole number from {INTEGERS[0]:,} to {INTEGERS[-1]:,}",
    "double": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-11-26",
    "varchar": "a text without white space around it",
}


@dataclass(frozen=True)
class Line:
    """A line of a seed: its number in the file, and its values by column; null is None."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Seed:
    """A seed: the types of its columns, its rules, and its lines."""

    name: str
    types: dict[str, str]
    rules: dict[str, Any]
    lines: list[Line]

    @property
    def file(self) -> str:
        """The path of its file in the project."""
        return f"seeds/{self.name}.csv"

    def at(self, line: Line, column: str) -> str:
        """The place of a value, for messages."""
        return f"{self.file}, line {line.number}, {column}"


def read_seed(project: Path, name: str) -> Seed:
    """Read one seed, whose values are of their types. Raises ProjectError with what is wrong."""
    (seed,) = (seed for seed in described_seeds(project) if seed.name == name)
    raise_if_any(list(read_lines(project, seed)))
    return seed


def described_seeds(project: Path) -> Iterator[Seed]:
    """The seeds by the rules of the project, without lines. Raises ProjectError."""
    content = read_yaml(project, RULES_FILE)
    try:
        found = [
            (seed["name"], seed["config"]["column_types"], seed["config"]["meta"]["rules"])
            for seed in content["seeds"]
        ]
    except (KeyError, TypeError) as error:
        raise ProjectError(
            f"{RULES_FILE} does not describe the seeds ({error!r}): restore it"
        ) from error
    for name, types, rules in found:
        yield Seed(name, types, rules, [])


def read_lines(project: Path, seed: Seed) -> Iterator[str]:
    """Read the file of a seed to its ``lines``; yields what cannot be read."""
    try:
        rows = list(numbered_rows(text_of(project / seed.file)))
    except ProjectError as error:
        yield f"{seed.file}{error}"
        return
    if not rows:
        yield f"{seed.file} is empty: its first line must be {','.join(seed.types)}"
        return
    (_, header), *rows = rows
    if wrong := header_fault(header, seed):
        yield f"{seed.file}, line 1: {wrong}"
        return
    for number, row in rows:
        line = Line(number, {})
        if len(row) != len(header):
            yield (
                f"{seed.file}, line {number}: {len(row):,} values for {len(header):,} columns; a "
                "value with a comma must be in double quotes"
            )
            continue
        for column, text in zip(header, row, strict=True):
            try:
                line.values[column] = typed(text, seed.types[column])
            except ValueError:
                yield f"{seed.at(line, column)}: {shown(text)} is not {allowed(seed, column)}"
                line.values[column] = None
        seed.lines.append(line)


def text_of(path: Path) -> str:
    """The content of a seed's file, without a byte order mark. Raises ProjectError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProjectError(f" cannot be read: {error.strerror}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ProjectError(" is in UTF-16: save it as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ProjectError(f", line {number}: not UTF-8: save the file as CSV in UTF-8") from error
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise ProjectError(f", line {number}: a NUL character; save the file as CSV in UTF-8")
    ends = LINE_END.findall(text)
    for number, end in enumerate(ends, start=1):
        if end != ends[0]:
            # DuckDB reads no such file.
            raise ProjectError(
                f", line {number}: ends in {end!r}, and line 1 in {ends[0]!r}: save the file with "
                "one kind of line end"
            )
    return text


def numbered_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text, with the number of the line where each begins.

    Blank lines are left out, except in a text of one column, where they are empty values.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    number, n_columns = 1, 0
    try:
        for row in rows:
            n_columns = n_columns or len(row)
            if row or n_columns == 1:
                yield number, row or [""]
            number = rows.line_num + 1
    except csv.Error as error:
        raise ProjectError(
            f", line {number}: {error}; a value with a comma or a quote must be in double quotes, "
            "and a quote in it doubled"
        ) from error


def header_fault(header: list[str], seed: Seed) -> str | None:
    """What is wrong with the names of the columns, if anything is."""
    expected = ",".join(seed.types)
    if len(header) == 1 < len(seed.types) and re.search(r"[;\t|]", header[0]):
        return f"no commas between the columns; save the file as CSV with commas: {expected}"
    if missing := [column for column in seed.types if column not in header]:
        return f"no column {', '.join(missing)}; the columns are {expected}"
    if unknown := [column for column in header if column not in seed.types]:
        return f"unknown column {', '.join(map(shown, unknown))}; the columns are {expected}"
    if len(set(header)) < len(header):
        return f"a column is there twice; the columns are {expected}"
    return None


def typed(text: str, type_name: str) -> Any:
    """The value of a text, None for an empty one. Raises ValueError if it is not of the type."""
    if text == "":
        return None
    if type_name in ("bigint", "integer"):
        if WHOLE_NUMBER.fullmatch(text) and (type_name == "bigint" or int(text) in INTEGERS):
            return int(text)
    elif type_name == "double":
        if NUMBER.fullmatch(text) and math.isfinite(value := float(text)):
            return value
    elif type_name == "boolean":
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif type_name == "date":
        if DATE.fullmatch(text):
            return date.fromisoformat(text)
    elif text == text.strip():
        return text
    raise ValueError(text)


def allowed(seed: Seed, column: str) -> str:
    """What the values of a column can be, in words."""
    if values := seed.rules.get("accepted_values", {}).get(column):
        return f"one of {', '.join(values)}"
    words = TYPES[seed.types[column]]
    low, high = seed.rules.get("between", {}).get(column, (None, None))
    if low is not None and high is not None:
        return f"{words} from {low:,} to {high:,}"
    return words if low is None else f"{words} of at least {low:,}"
