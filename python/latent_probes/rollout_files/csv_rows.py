"""CSV files: all values are text, empty fields are null, the first line names the columns."""

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
    """SQL of the table to select from."""
    types = ", ".join(f"{sql.literal(column)}: 'VARCHAR'" for column in known)
    return (
        f"read_csv({sql.file_literal(source.path)}, hive_partitioning = false, "
        "header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', strict_mode = true, max_line_size = {LONGEST_LINE}, "
        # By default several buffers, each many times the longest line.
        f"buffer_size = {2 * LONGEST_LINE}, "
        f"columns = {{{types}}})"
    )


def columns_of(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """The names in the first line, without a byte order mark."""
    # Invalid UTF-8 is reported, with its row, when the file is read.
    with source.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return dict.fromkeys(next(csv.reader(file), []), "VARCHAR")


def select(source: Source, mapping: Mapping, known: dict[str, str]) -> str:
    """SQL that selects the rows of the file."""
    if mapping.has_list(known):
        raise RolloutFileError(
            f"{source.place}, row 1: CSV files cannot contain lists; write one row per continuation"
        )
    values, problems = mapping.constant_values(known), []
    for ours in mapping.needed(known):
        theirs = mapping.name_of(ours)
        field = sql.identifier(theirs)
        if ours == "continuation":
            # CSV cannot distinguish an empty text from null; here it is an empty text.
            values[ours] = f"coalesce({field}, '')"
        elif ours == "continuation_idx":
            values[ours] = f"try_cast({field} as bigint)"
            problems.append(
                f"when not coalesce(regexp_full_match({field}, '-?[0-9]+'), false) "
                f"or {values[ours]} is null "
                f"then {sql.literal(theirs + ' is not an integer')}"
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
        f"then {sql.literal(mapping.name_of(ours) + ' is not a number')}"
        for ours, field in settings.items()
    ]
    sampling = mapping.sampling(
        {ours: f"try_cast({field} as json)" for ours, field in settings.items()}
    )
    return rows.numbered(table(source, known), values, problems, sampling)


def fault(source: Source, error: duckdb.Error) -> str | None:
    """Report the line that is not UTF-8; DuckDB reports the line of all other errors itself."""
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as found:
                return f"{source.place}, line {number}: not UTF-8 ({found}); save it as UTF-8"
    return None
