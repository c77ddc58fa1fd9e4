"""JSONL files: one object per line; keys can differ between lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow

from latent_probes.common import sql
from latent_probes.table_files import text_lines
from latent_probes.table_files.batches import Batch, batched
from latent_probes.table_files.columns import SHOWN_CHARACTERS, Column, Number, Texts, shown
from latent_probes.table_files.sources import FileError, Source


class RepeatedKeys(dict):
    """An object that has a key twice."""


def numbered(lines: text_lines.Lines) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, by their number."""
    for number, line in enumerate(lines, start=1):
        lines.new_row(number + 1)
        if line.strip(" \t\r\n"):
            yield number, [line]


def rows(source: Source) -> Iterator[tuple[int, tuple[dict[str, Any], int]]]:
    """The objects of a file and their length, by the number of the line."""
    try:
        with text_lines.opened(source) as lines:
            for number, (line,) in numbered(lines):
                yield number, (parsed(line, f"{source.place}, row {number}"), len(line))
    except UnicodeDecodeError as error:
        raise text_lines.undecodable(source, numbered, error) from error


def parsed(line: str, place: str) -> dict[str, Any]:
    """The object on a line."""
    try:
        row = json.loads(line, object_pairs_hook=object_of)
    except RecursionError as error:
        raise FileError(f"{place}: nested too deeply; fix or drop the row") from error
    except ValueError as error:
        raise FileError(
            f"{place}: not JSON ({error}); fix the row: write one object per line, completely"
        ) from error
    if not isinstance(row, dict):
        raise FileError(f"{place}: not a JSON object; write one object per line")
    if isinstance(row, RepeatedKeys):
        raise FileError(f"{place}: a key occurs twice; fix or drop the row")
    return row


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that shows whether a key occurred twice."""
    row = dict(pairs)
    return row if len(row) == len(pairs) else RepeatedKeys(row)


def names(source: Source) -> list[str] | None:
    """The keys of the first row; None of an empty file."""
    return next((list(row) for _, (row, _) in rows(source)), None)


def raw(source: Source, columns: list[Column], found: list[str]) -> dict[str, str]:
    """SQL of what was read, by our columns; any row can have an optional one."""
    return {column.ours: sql.identifier(column.ours) for column in columns}


def batches(source: Source, columns: list[Column], found: list[str]) -> Iterator[Batch]:
    """The rows that the file has; a value of the wrong type is null, and a problem of its row."""
    for batch in batched(rows(source), lambda row: row[1]):
        problems: list[str | None] = []
        values: dict[str, list] = {column.ours: [] for column in columns}
        for _, (row, _) in batch:
            problem = None
            for column in columns:
                value, fault = typed(column, row)
                values[column.ours].append(value)
                problem = problem or fault
            problems.append(problem)
        yield Batch(
            [number for number, _ in batch],
            problems,
            {
                column.ours: (
                    values[column.ours],
                    pyarrow.list_(pyarrow.string())
                    if isinstance(column.kind, Texts)
                    else pyarrow.string(),
                )
                for column in columns
            },
        )


def typed(column: Column, row: dict[str, Any]) -> tuple[Any, str | None]:
    """The value of a column, and what is wrong with it."""
    value, kind = row.get(column.theirs), column.kind
    if value is None:
        if column.nullable:
            return None, None
        fault = "is null" if column.theirs in row else "is missing"
        return None, f"{column.theirs} {fault}"
    if isinstance(kind, Number):
        if isinstance(value, int | float):
            # Booleans are refused with everything else that is not a number.
            return json.dumps(value)[: SHOWN_CHARACTERS + 1], None
    elif isinstance(kind, Texts):
        if isinstance(value, list):
            if all(isinstance(text, str) for text in value):
                return value, None
            return None, f"a text in the list {column.theirs} is not a text"
    elif isinstance(value, str):
        return value, None
    elif kind.or_integer and type(value) is int:
        return str(value), None
    return None, f"{column.theirs} is {shown_value(value)}, not {kind.words}"


def shown_value(value: Any) -> str:
    """A value for a message, shortened."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return shown(value) if isinstance(value, str) else json.dumps(value)[:SHOWN_CHARACTERS]
