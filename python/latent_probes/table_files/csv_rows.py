"""CSV files: the first line names the columns, all values are texts, and nothing is sniffed."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pyarrow

from latent_probes.common import limits, sql, terminal
from latent_probes.table_files import text_lines
from latent_probes.table_files.batches import Batch, batched
from latent_probes.table_files.columns import Column, Number, Texts, listed, shown
from latent_probes.table_files.sources import FileError, Source, row_name

DELIMITERS = (",", ";", "\t", "|")


def numbered(source: Source, lines: text_lines.Lines) -> Iterator[tuple[int, list[str]]]:
    """The fields of the header, as row 0, and of each row; blank lines are no rows."""
    csv.field_size_limit(limits.ROW_CHARACTERS)
    parsed = csv.reader(lines, delimiter=source.delimiter, strict=True)
    number, line, line_end = 0, 1, ""
    lines.new_row(number)
    try:
        for fields in parsed:
            if fields:
                end = lines.last[-1]
                line_end = line_end or end
                if end in "\r\n" and end != line_end:
                    raise FileError(
                        f"{source.place}, {row_name(number)} (line {line}): ends with {end!r}, but "
                        f"the header with {line_end!r}; put a field that contains a line break in "
                        "quotes"
                    )
                yield number, fields
                number += 1
            lines.new_row(number)
            line = parsed.line_num + 1
    except csv.Error as error:
        remedy = hint(source) or (
            "close the quote, double the quotes inside of a quoted field, or, if the file is "
            "truncated, write it again"
        )
        raise FileError(
            f"{source.place}, {row_name(number)} (line {line}): {error}; {remedy}"
        ) from error


def rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    """The header, as row 0, and the rows, all of which have as many fields."""
    width = 0
    try:
        with text_lines.opened(source) as lines:
            for number, fields in numbered(source, lines):
                width = width or len(fields)
                if len(fields) != width:
                    remedy = hint(source) or (
                        "put a field that contains the delimiter, a quote or a line break in "
                        "quotes, or, if the file is truncated, write it again"
                    )
                    raise FileError(
                        f"{source.place}, row {number}: has {len(fields):,} "
                        f"{'field' if len(fields) == 1 else 'fields'}, but the header has "
                        f"{width:,}; {remedy}"
                    )
                yield number, fields
    except UnicodeDecodeError as error:
        raise text_lines.undecodable(
            source, lambda lines: numbered(source, lines), error
        ) from error


def names(source: Source) -> list[str] | None:
    """The names in the header; None of an empty file."""
    found = next((fields for _, fields in rows(source)), None)
    if found and found[0].lower().startswith("sep="):
        raise FileError(
            f"{source.place}, the header: the line {shown(found[0])} is for spreadsheets; delete "
            "it, and name the delimiter with --delimiter"
        )
    return found


def hint(source: Source) -> str | None:
    """The delimiter to name, if the header of a refused file has more of it than of the named one.

    A file is never read with another delimiter than the named one.
    """
    with text_lines.opened(source, marked=True) as lines:
        header = next(iter(lines), "")
    likely = max(DELIMITERS, key=header.count)
    if header.count(likely) <= header.count(source.delimiter):
        return None
    named = "tab" if likely == "\t" else f'"{likely}"'
    return f"the delimiter seems to be {named}: name it with --delimiter {named}"


def raw(source: Source, columns: list[Column], found: list[str]) -> dict[str, str]:
    """SQL of what was read, by our columns. Raises FileError for a column of lists."""
    values = {}
    for column in columns:
        if column.theirs in found:
            if isinstance(column.kind, Texts):
                raise FileError(
                    f"{source.place}, row 1: CSV files cannot contain lists, as "
                    f"{shown(column.theirs)} must be; write one text per row, or a Parquet or "
                    "JSONL file"
                )
            value = sql.identifier(column.ours)
            if not column.empty_is_text:
                value = f"nullif({value}, '')"
            if isinstance(column.kind, Number):
                value = plain_number(value, column.kind, decimal_comma=source.delimiter != ",")
            values[column.ours] = value
    return values


def plain_number(value: str, kind: Number, *, decimal_comma: bool) -> str:
    """SQL: a number as people and spreadsheets write it, as JSON does; other texts stay.

    A comma before three digits of a whole number stays: it can separate thousands.
    """
    value = f"nullif(trim({value}), '')"
    if decimal_comma:
        decimals = "[0-9]{1,2}|[0-9]{4,}" if kind.whole else "[0-9]+"
        value = rf"regexp_replace({value}, '^(-?[0-9]*),({decimals})$', '\1.\2')"
    value = rf"regexp_replace({value}, '^(-?)\.([0-9])', '\10.\2')"
    return rf"regexp_replace({value}, '^(-?[0-9]+)\.$', '\1')"


def batches(source: Source, columns: list[Column], found: list[str]) -> Iterator[Batch]:
    """The rows that the file has, as texts."""
    if unnamed := [str(place) for place, name in enumerate(found, start=1) if not name]:
        terminal.say(f"{source.place}: left out column {listed(unnamed)}, which has no name")
    places = {
        column.ours: found.index(column.theirs) for column in columns if column.theirs in found
    }
    after_header = ((number, fields) for number, fields in rows(source) if number)
    for batch in batched(after_header, lambda fields: sum(map(len, fields))):
        values = list(zip(*(fields for _, fields in batch), strict=True))
        yield Batch(
            [number for number, _ in batch],
            [None] * len(batch),
            {ours: (list(values[place]), pyarrow.string()) for ours, place in places.items()},
        )
