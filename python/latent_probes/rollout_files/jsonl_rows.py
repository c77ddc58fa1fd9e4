"""JSONL files: one object per line; keys and types can differ between lines."""

from __future__ import annotations

import json

import duckdb

from latent_probes.common import sql
from latent_probes.rollout_files import rows
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS, Mapping
from latent_probes.rollout_files.sources import RolloutFileError, Source

# A line can be long: a prefix with all its continuations.
LONGEST_LINE = 1 << 28
USUAL_LINE = 1 << 24


def table(source: Source) -> str:
    """SQL of the table to select from."""
    # Every thread allocates several buffers of the maximum size.
    with source.path.open("rb") as file:
        longest = max(map(len, file), default=0)
    size = min(max(longest + 1, USUAL_LINE), LONGEST_LINE)
    return (
        f"read_ndjson_objects({sql.file_literal(source.path)}, maximum_object_size = {size}, "
        "format = 'newline_delimited', hive_partitioning = false)"
    )


def columns_of(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """The keys of the first row."""
    # Invalid UTF-8 is reported, with its row, when the file is read.
    with source.path.open(encoding="utf-8", errors="replace", newline="") as file:
        first = file.readline()
    try:
        row = json.loads(first or "{}")
    except ValueError as error:
        raise RolloutFileError(f"{source.place}, row 1: not JSON ({error}); fix the row") from error
    if not isinstance(row, dict):
        raise RolloutFileError(
            f"{source.place}, row 1: not a JSON object; write one object per line"
        )
    return dict.fromkeys(row, "JSON")


def select(source: Source, mapping: Mapping, known: dict[str, str]) -> str:
    """SQL that selects the rows of the file; a value of the wrong type is a problem of its row."""
    values, problems = mapping.constant_values(known), []
    for ours in mapping.needed(known):
        theirs, place = mapping.name_of(ours), place_of(mapping, ours)
        if ours == "continuations":
            values[ours] = f"from_json(json -> {place}, '[\"VARCHAR\"]')"
            problems.append(wrong_type(theirs, place, "ARRAY"))
            problems.append(
                f"when list_any_value(list_filter(json_type(json, {place[:-1]}[*]'), "
                "lambda x: x != 'VARCHAR')) is not null "
                "then 'a continuation in the list is not a text'"
            )
        elif ours == "continuation_idx":
            values[ours] = f"try_cast(json ->> {place} as bigint)"
            problems.append(wrong_type(theirs, place, "UBIGINT"))
            problems.append(rows.is_too_large(theirs, values[ours]))
        else:
            values[ours] = f"json ->> {place}"
            problems.append(wrong_type(theirs, place, "VARCHAR"))
    sampling = mapping.sampling(
        {ours: f"json -> {place_of(mapping, ours)}" for ours in SAMPLING_COLUMNS}
    )
    # Drops the settings that a row does not have.
    sampling = f"json_merge_patch('{{}}'::json, {sampling})"
    return rows.numbered(table(source), values, problems, sampling)


def place_of(mapping: Mapping, ours: str) -> str:
    """The JSON path of one of our columns, as an SQL literal."""
    return sql.literal("$." + json.dumps(mapping.name_of(ours), ensure_ascii=False))


def wrong_type(column: str, place: str, wanted: str) -> str:
    """Case branches that report a JSON value that is missing, null or of the wrong type."""
    kind = {
        "VARCHAR": "not a text",
        "ARRAY": "not a list",
        "UBIGINT": "not a non-negative integer",
    }
    found = f"json_type(json, {place})"
    return (
        f"when {found} is null then {sql.literal(column + ' is missing')} "
        f"when {found} = 'NULL' then {sql.literal(column + ' is null')} "
        f"when {found} != '{wanted}' then {sql.literal(f'{column} is {kind[wanted]}')}"
    )


def fault(source: Source, error: duckdb.Error) -> str | None:
    """Report the row that DuckDB could not read."""
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                # Lone surrogates pass json.loads and fail here.
                json.dumps(json.loads(line or b"{}"), ensure_ascii=False).encode()
            except UnicodeEncodeError:
                return (
                    f"{source.place}, row {number}: contains a lone surrogate; write valid Unicode"
                )
            except ValueError as found:
                if line.strip():
                    return (
                        f"{source.place}, row {number}: not JSON ({found}); the file may be "
                        "truncated: write it again"
                    )
    return None
