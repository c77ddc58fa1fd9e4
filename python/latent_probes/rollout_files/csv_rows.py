"""CSV files: everything is text, an empty field is a null, and the first line names the columns."""

from __future__ import annotations

import csv

import duckdb

from latent_probes.common import sql
from latent_probes.rollout_files import rows
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS, Mapping
from latent_probes.rollout_files.sources import RolloutFileError, Source

LONGEST_LINE = 1 << 28
NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"


def table(source: Source, known: dict[str, str]) -> str:
    """What to select from."""
    types = ", ".join(f"{sql.literal(column)}: 'VARCHAR'" for column in known)
    return (
        f"read_csv({sql.file_literal(source.path)}, hive_partitioning = false, "
        "header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', strict_mode = true, max_line_size = {LONGEST_LINE}, "
        # Else it is many times the longest line, and there are several.
        f"buffer_size = {2 * LONGEST_LINE}, "
        f"columns = {{{types}}})"
    )


def columns_of(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """The names in the first line, without a mark of the byte order before them."""
    # Bytes that are not UTF-8 are named, with their row, by whoever reads them all.
    with source.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return dict.fromkeys(next(csv.reader(file), []), "VARCHAR")


def select(source: Source, mapping: Mapping, known: dict[str, str]) -> str:
    """The rows of the file."""
    if mapping.has_list(known):
        raise RolloutFileError(
            f"{source.place}, row 1: a CSV file holds no lists; write one row per continuation"
        )
    values, problems = mapping.constant_values(known), []
    for ours in mapping.needed(known):
        theirs = mapping.name_of(ours)
        field = sql.identifier(theirs)
        if ours == "continuation":
            # CSV cannot tell an empty continuation from none; nothing is empty text.
            values[ours] = f"coalesce({field}, '')"
        elif ours == "continuation_idx":
            values[ours] = f"try_cast({field} as bigint)"
            problems.append(
                f"when not coalesce(regexp_full_match({field}, '-?[0-9]+'), false) "
                f"or {values[ours]} is null "
                f"then {sql.literal(theirs + ' is no whole number')}"
            )
        else:
            values[ours] = field
            problems.append(rows.is_null(theirs, field))
    settings = {
        ours: sql.identifier(mapping.name_of(ours))
        for ours in SAMPLING_COLUMNS
        if mapping.name_of(ours) in known and ours not in mapping.constants
    }
    problems += [
        f"when not regexp_full_match({field}, '{NUMBER}') "
        f"then {sql.literal(mapping.name_of(ours) + ' is no number')}"
        for ours, field in settings.items()
    ]
    sampling = mapping.sampling(
        {ours: f"try_cast({field} as json)" for ours, field in settings.items()}
    )
    return rows.numbered(table(source, known), values, problems, sampling)


def fault(source: Source, error: duckdb.Error) -> str | None:
    """Name the line that is not UTF-8; of others DuckDB says which they are."""
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as found:
                return f"{source.place}, line {number}: not UTF-8 ({found}); save it as UTF-8"
    return None
