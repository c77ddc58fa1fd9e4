"""JSONL files: one object a line, whose keys and types may differ from line to line."""

from __future__ import annotations

import json

import duckdb

from latent_probes.common import sql
from latent_probes.rollout_files import rows
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS, Mapping
from latent_probes.rollout_files.sources import RolloutFileError, Source

# JSON documents of one line may be long: a prefix with all its continuations.
LONGEST_LINE = 1 << 28
USUAL_LINE = 1 << 24


def table(source: Source) -> str:
    """What to select from."""
    # Every thread makes room for several lines of the greatest length that it is told.
    with source.path.open("rb") as file:
        longest = max(map(len, file), default=0)
    size = min(max(longest + 1, USUAL_LINE), LONGEST_LINE)
    return (
        f"read_ndjson_objects({sql.file_literal(source.path)}, maximum_object_size = {size}, "
        "format = 'newline_delimited', hive_partitioning = false)"
    )


def columns_of(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """The keys of the first row."""
    # Bytes that are not UTF-8 are named, with their row, by whoever reads them all.
    with source.path.open(encoding="utf-8", errors="replace", newline="") as file:
        first = file.readline()
    try:
        row = json.loads(first or "{}")
    except ValueError as error:
        raise RolloutFileError(f"{source.place}, row 1: not JSON ({error}); mend it") from error
    if not isinstance(row, dict):
        raise RolloutFileError(f"{source.place}, row 1: not a JSON object; write one object a line")
    return dict.fromkeys(row, "JSON")


def select(source: Source, mapping: Mapping, known: dict[str, str]) -> str:
    """The rows of the file; a value of the wrong type is a problem of its row."""
    values, problems = mapping.constant_values(known), []
    for ours in mapping.needed(known):
        theirs, place = mapping.name_of(ours), place_of(mapping, ours)
        if ours == "continuations":
            values[ours] = f"from_json(json -> {place}, '[\"VARCHAR\"]')"
            problems.append(wrong_type(theirs, place, "ARRAY"))
            problems.append(
                f"when list_any_value(list_filter(json_type(json, {place[:-1]}[*]'), "
                "lambda x: x != 'VARCHAR')) is not null "
                "then 'a continuation in the list is no text'"
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
    # Without the settings that a row does not state.
    sampling = f"json_merge_patch('{{}}'::json, {sampling})"
    return rows.numbered(table(source), values, problems, sampling)


def place_of(mapping: Mapping, ours: str) -> str:
    """The JSON path of one of our columns, as an SQL literal."""
    return sql.literal("$." + json.dumps(mapping.name_of(ours), ensure_ascii=False))


def wrong_type(column: str, place: str, wanted: str) -> str:
    """Case branches that say how a JSON value fails to be what it should."""
    kind = {"VARCHAR": "no text", "ARRAY": "not a list", "UBIGINT": "not a whole number from 0"}
    found = f"json_type(json, {place})"
    return (
        f"when {found} is null then {sql.literal(column + ' is missing')} "
        f"when {found} = 'NULL' then {sql.literal(column + ' is null')} "
        f"when {found} != '{wanted}' then {sql.literal(f'{column} is {kind[wanted]}')}"
    )


def fault(source: Source, error: duckdb.Error) -> str | None:
    """Name the row that DuckDB could not read."""
    with source.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                # Lone surrogates pass json.loads and fail here.
                json.dumps(json.loads(line or b"{}"), ensure_ascii=False).encode()
            except UnicodeEncodeError:
                return f"{source.place}, row {number}: a lone surrogate; write whole characters"
            except ValueError as found:
                if line.strip():
                    return (
                        f"{source.place}, row {number}: not JSON ({found}); is the file cut off? "
                        "Write it again"
                    )
    return None
