"""Parquet files: columns are typed, and only the required ones are read."""

from __future__ import annotations

import duckdb

from latent_probes.common import sql
from latent_probes.rollout_files import rows
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS, Mapping
from latent_probes.rollout_files.sources import RolloutFileError, Source

TYPES = {"continuations": "VARCHAR[]", "continuation_idx": "INT"}


def table(source: Source) -> str:
    """SQL of the table to select from."""
    return f"read_parquet({sql.file_literal(source.path)}, hive_partitioning = false)"


def columns_of(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """Name and DuckDB type of each column."""
    described = connection.execute(f"describe from {table(source)}").fetchall()
    return {name: type_name for name, type_name, *_ in described}


def select(source: Source, mapping: Mapping, known: dict[str, str]) -> str:
    """SQL that selects the rows of the file; its columns must have the right types."""
    values, problems = mapping.constant_values(known), []
    for ours in mapping.needed(known):
        theirs, wanted = mapping.name_of(ours), TYPES.get(ours, "VARCHAR")
        if known[theirs] != wanted and not (wanted == "INT" and "INT" in known[theirs]):
            raise RolloutFileError(
                f"{source.place}, row 1: column {theirs!r} is {known[theirs]}, not {wanted}; "
                "cast it before landing"
            )
        values[ours] = sql.identifier(theirs)
        problems.append(rows.is_null(theirs, values[ours]))
        if ours == "continuation_idx":
            values[ours] = f"try_cast({values[ours]} as bigint)"
            problems.append(rows.is_too_large(theirs, values[ours]))
        if ours == "continuations":
            problems.append(
                f"when list_contains(list_transform({values[ours]}, lambda x: x is null), true) "
                "then 'a continuation in the list is null'"
            )
    sampling = mapping.sampling(
        {
            ours: sql.identifier(mapping.name_of(ours))
            for ours in SAMPLING_COLUMNS
            if mapping.name_of(ours) in known
        }
    )
    return rows.numbered(table(source), values, problems, sampling)


def fault(source: Source, error: duckdb.Error) -> str | None:
    """DuckDB reports by itself what it cannot read."""
    return None
