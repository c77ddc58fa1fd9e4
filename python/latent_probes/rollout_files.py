"""Read files of rollouts: Parquet, JSONL or CSV, one row per continuation or per prefix.

Every file is read and checked whole before anything lands. The checks are queries over the
table ``incoming``, so that the first offending row is named by its place in the file.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from latent_probes import files, landing

TEXT_COLUMNS = ("source_model", "doc_id", "doc_source", "prefix")
SAMPLING_COLUMNS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_new_tokens",
    "sampling_seed",
)
COLUMNS = (
    *TEXT_COLUMNS,
    *("continuation", "continuation_idx", "continuations"),
    *SAMPLING_COLUMNS,
)
SUFFIXES = (".parquet", ".jsonl", ".csv")
# JSON documents of one line may be long: a prefix with all its continuations.
LONGEST_LINE = 1 << 28


class RolloutFileError(Exception):
    """A file that cannot land; the message names the file, the row and the remedy."""


@dataclass(frozen=True)
class Landed:
    """What came of landing some files: rows read, rollouts added, and the rest was known."""

    rollouts: int
    added: int


def land(landing_path: Path, paths: list[Path], columns: dict[str, str]) -> Landed:
    """Land the rollouts of ``paths``, all or nothing.

    ``columns`` maps our column names to those of the files. Raises RolloutFileError for the
    first fault found.
    """
    with landing.opened(landing_path) as connection:
        connection.execute(
            """
            create temp table incoming (
                source_hash varchar, source_name varchar, row_number bigint, problem varchar,
                source_model varchar, doc_id varchar, continuation_idx bigint,
                doc_source varchar, prefix varchar, continuation varchar, sampling json,
                prefix_tokens integer[], continuation_tokens integer[]
            );
            create temp table incoming_sources (
                source_hash varchar, kind varchar, name varchar, details json, n_rows bigint
            )
            """
        )
        # A file that is named twice is one file.
        for path in {
            files.hash_of(path) if path.is_file() else path: path for path in paths
        }.values():
            read(connection, path, columns)
            refuse_first_problem(connection)
        refuse_contradictions(connection)
        connection.execute(
            """
            insert into incoming_sources by name
            select source_hash, 'file' as kind, min(source_name) as name, count(*) as n_rows
            from incoming
            group by source_hash
            """
        )
        (rollouts,) = landing.first(connection, "select count(*) from incoming")
        return Landed(rollouts, landing.add_rollouts(connection))


def read(connection, path: Path, columns: dict[str, str]) -> None:
    """Append the rows of one file to ``incoming``, each with its problem, if it has one."""
    if path.suffix not in SUFFIXES:
        raise RolloutFileError(
            f"{path}: cannot tell the format; name the file .parquet, .jsonl or .csv"
        )
    if not path.is_file():
        raise RolloutFileError(f"{path}: no such file; check the path")
    # A name is no pattern to DuckDB when its wildcards stand in brackets.
    name = re.sub(r"([*?[])", r"[\1]", str(path)).replace("'", "''")
    try:
        known = columns_of(connection, path, name)
        fields = {ours: columns.get(ours, ours) for ours in COLUMNS}
        insert = {".parquet": typed_query, ".jsonl": json_query, ".csv": csv_query}[path.suffix]
        refuse_missing_columns(path, fields, known)
        query = insert(path, name, fields, known)
        connection.execute(
            f"insert into incoming by name select '{files.hash_of(path)}' as source_hash, "
            f"{literal(path.name)} as source_name, rows.* from ({query}) as rows"
        )
    except duckdb.Error as error:
        raise RolloutFileError(explain(path, error)) from error


def columns_of(connection, path: Path, name: str) -> dict[str, str]:
    """Name and DuckDB type of each column; JSONL has those of its first row."""
    if path.suffix == ".parquet":
        rows = connection.execute(
            f"describe from read_parquet('{name}', hive_partitioning = false)"
        ).fetchall()
        return {row[0]: row[1] for row in rows}
    # Bytes that are not UTF-8 are named, with their row, by whoever reads them all.
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        first = next(csv.reader(file), []) if path.suffix == ".csv" else file.readline()
    if path.suffix == ".csv":
        return dict.fromkeys(first, "VARCHAR")
    try:
        row = json.loads(first or "{}")
    except ValueError as error:
        raise RolloutFileError(f"{path}, row 1: not JSON ({error}); mend the line") from error
    if not isinstance(row, dict):
        raise RolloutFileError(f"{path}, row 1: not a JSON object; write one object a line")
    return dict.fromkeys(row, "JSON")


def refuse_missing_columns(path: Path, fields: dict[str, str], known: dict[str, str]) -> None:
    """Name the first column that is needed and not there."""
    needed = [fields[column] for column in TEXT_COLUMNS]
    if fields["continuations"] not in known:
        needed += [fields["continuation"], fields["continuation_idx"]]
    for column in needed:
        if column not in known:
            raise RolloutFileError(
                f"{path}, row 1: no column {column!r} among {', '.join(known) or 'none'}; "
                f"add it, or map another with --column OURS=THEIRS"
            )


def typed_query(path: Path, name: str, fields: dict[str, str], known: dict[str, str]) -> str:
    """The select that reads a Parquet file."""
    wanted = dict.fromkeys(TEXT_COLUMNS, "VARCHAR")
    if fields["continuations"] in known:
        wanted["continuations"] = "VARCHAR[]"
    else:
        wanted |= {"continuation": "VARCHAR", "continuation_idx": "INT"}
    for ours, type_name in wanted.items():
        found = known[fields[ours]]
        if found != type_name and not (type_name == "INT" and "INT" in found):
            raise RolloutFileError(
                f"{path}, row 1: column {fields[ours]!r} is {found}, not {type_name}; "
                "cast it before landing"
            )
    values = {ours: quoted(fields[ours]) for ours in wanted}
    sampling = sampling_object(
        {ours: quoted(fields[ours]) for ours in SAMPLING_COLUMNS if fields[ours] in known}
    )
    problems = [
        f"when {values[ours]} is null then {literal(fields[ours] + ' is null')}" for ours in wanted
    ]
    if "continuation_idx" in wanted:
        values["continuation_idx"] = f"try_cast({values['continuation_idx']} as bigint)"
        problems.append(
            f"when {values['continuation_idx']} is null "
            f"then {literal(fields['continuation_idx'] + ' is too large')}"
        )
    if "continuations" in wanted:
        problems.append(
            f"when list_contains(list_transform({values['continuations']}, "
            "lambda x: x is null), true) then 'a continuation in the list is null'"
        )
    return rows_query(
        f"read_parquet('{name}', hive_partitioning = false)", values, problems, sampling
    )


def json_query(path: Path, name: str, fields: dict[str, str], known: dict[str, str]) -> str:
    """The select that reads a JSONL file."""
    place = {
        ours: literal("$." + json.dumps(theirs, ensure_ascii=False))
        for ours, theirs in fields.items()
    }
    values = {ours: f"json ->> {place[ours]}" for ours in TEXT_COLUMNS}
    problems = [wrong_json_type(fields[ours], place[ours], "VARCHAR") for ours in TEXT_COLUMNS]
    if fields["continuations"] in known:
        values["continuations"] = f"from_json(json -> {place['continuations']}, '[\"VARCHAR\"]')"
        problems.append(wrong_json_type(fields["continuations"], place["continuations"], "ARRAY"))
        problems.append(
            f"when list_any_value(list_filter(json_type(json, "
            f"{place['continuations'][:-1]}[*]'), lambda x: x != 'VARCHAR')) is not null "
            "then 'a continuation in the list is no text'"
        )
    else:
        values["continuation"] = f"json ->> {place['continuation']}"
        values["continuation_idx"] = f"try_cast(json ->> {place['continuation_idx']} as bigint)"
        problems.append(wrong_json_type(fields["continuation"], place["continuation"], "VARCHAR"))
        problems.append(
            wrong_json_type(fields["continuation_idx"], place["continuation_idx"], "UBIGINT")
        )
        problems.append(
            f"when {values['continuation_idx']} is null "
            f"then {literal(fields['continuation_idx'] + ' is too large')}"
        )
    sampling = sampling_object({ours: f"json -> {place[ours]}" for ours in SAMPLING_COLUMNS})
    # Without the settings that a row does not state.
    sampling = f"json_merge_patch('{{}}'::json, {sampling})"
    source = (
        f"read_ndjson_objects('{name}', maximum_object_size = {LONGEST_LINE}, "
        "format = 'newline_delimited', hive_partitioning = false)"
    )
    return rows_query(source, values, problems, sampling)


def csv_query(path: Path, name: str, fields: dict[str, str], known: dict[str, str]) -> str:
    """The select that reads a CSV file."""
    if fields["continuations"] in known:
        raise RolloutFileError(
            f"{path}, row 1: a CSV file holds no lists; write one row per continuation"
        )
    values = {ours: quoted(fields[ours]) for ours in (*TEXT_COLUMNS, "continuation")}
    index = quoted(fields["continuation_idx"])
    # CSV cannot tell an empty continuation from none; a quoted or bare nothing is empty text.
    values["continuation"] = f"coalesce({values['continuation']}, '')"
    problems = [
        f"when {values[ours]} is null then {literal(fields[ours] + ' is null')}"
        for ours in TEXT_COLUMNS
    ] + [
        f"when not coalesce(regexp_full_match({index}, '-?[0-9]+'), false) "
        f"or try_cast({index} as bigint) is null "
        f"then '{fields['continuation_idx']} is no whole number'"
    ]
    values["continuation_idx"] = f"try_cast({index} as bigint)"
    number = r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"
    problems += [
        f"when not regexp_full_match({quoted(fields[ours])}, '{number}') "
        f"then {literal(fields[ours] + ' is no number')}"
        for ours in SAMPLING_COLUMNS
        if fields[ours] in known
    ]
    sampling = sampling_object(
        {
            ours: f"try_cast({quoted(fields[ours])} as json)"
            for ours in SAMPLING_COLUMNS
            if fields[ours] in known
        }
    )
    types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in known)
    source = (
        f"read_csv('{name}', hive_partitioning = false, "
        f"header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', strict_mode = true, max_line_size = {LONGEST_LINE}, "
        f"columns = {{{types}}})"
    )
    return rows_query(source, values, problems, sampling)


def rows_query(source: str, values: dict[str, str], problems: list[str], sampling: str) -> str:
    """One row per continuation, numbered by the row of the file that holds it."""
    listed = "continuations" in values
    if not listed:
        index = values["continuation_idx"]
        problems = [*problems, f"when {index} < 0 then 'continuation_idx is below 0'"]
    selected = ", ".join(f"{value} as {ours}" for ours, value in values.items())
    rows = (
        f"select row_number() over () as row_number, case {' '.join(problems)} end as problem, "
        f"{sampling} as sampling, {selected} from {source}"
    )
    if not listed:
        return rows
    # A null list would vanish in unnest, and its problem with it.
    return (
        f"select * exclude (continuations), "
        f"unnest(coalesce(continuations, [null])) as continuation, "
        f"generate_subscripts(coalesce(continuations, [null]), 1) - 1 as continuation_idx "
        f"from ({rows})"
    )


def sampling_object(values: dict[str, str]) -> str:
    """A JSON object of the sampling settings that the file states."""
    pairs = ", ".join(f"'{ours}', {value}" for ours, value in values.items())
    return f"json_object({pairs})"


def wrong_json_type(column: str, place: str, wanted: str) -> str:
    """A case branch that says how a JSON value fails to be what it should."""
    kind = {"VARCHAR": "text", "ARRAY": "a list", "UBIGINT": "a whole number from 0"}[wanted]
    found = f"json_type(json, {place})"
    column = column.replace("'", "''")
    return (
        f"when {found} is null then '{column} is missing' "
        f"when {found} = 'NULL' then '{column} is null' "
        f"when {found} != '{wanted}' then '{column} is no {kind}'".replace("no a ", "not a ")
    )


def refuse_first_problem(connection) -> None:
    """Raise for the first row that has a problem of its own."""
    found = landing.first(
        connection,
        r"""
        select
            source_name,
            row_number,
            coalesce(
                problem, 'source_model, doc_id or doc_source is empty or has control characters'
            )
        from incoming
        where
            problem is not null
            or '' in (source_model, doc_id, doc_source)
            or regexp_matches(concat(source_model, doc_id, doc_source), '[\x00-\x1F\x7F]')
        order by source_name, row_number limit 1
        """,
    )
    if found:
        raise RolloutFileError("{}, row {}: {}; mend or drop the row".format(*found))


def refuse_contradictions(connection) -> None:
    """Raise for the first row whose key is already there with another text."""
    for what, keys, texts in [
        ("continuation", "source_model, doc_id, continuation_idx", "continuation"),
        ("prefix or doc_source", "source_model, doc_id", "prefix, doc_source"),
    ]:
        found = landing.first(
            connection,
            f"""
            with known as (
                select {keys}, md5(json_array({texts})) as text_hash,
                    'what landed before' as source_name, 0 as row_number
                from rollouts
                semi join incoming using ({keys})
                union all
                select {keys}, md5(json_array({texts})), source_name, row_number from incoming
            )
            select source_name, row_number, json_array({keys})::varchar
            from known
            qualify text_hash != first_value(text_hash) over (
                partition by {keys} order by row_number, source_name
            )
            order by source_name, row_number limit 1
            """,
        )
        if found:
            raise RolloutFileError(
                f"{found[0]}, row {found[1]}: key {found[2]} is there already with another "
                f"{what}; a rollout never changes, so give the new text a new doc_id"
            )


def explain(path: Path, error: duckdb.Error) -> str:
    """Name the row that DuckDB could not read."""
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    # Lone surrogates pass json.loads and fail here.
                    json.dumps(json.loads(line or b"{}"), ensure_ascii=False).encode()
                except UnicodeEncodeError:
                    return f"{path}, row {number}: a lone surrogate; write whole characters"
                except ValueError as fault:
                    if line.strip():
                        return (
                            f"{path}, row {number}: not JSON ({fault}); is the file cut off? "
                            "Write it again"
                        )
    if path.suffix == ".csv":
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as fault:
                    return f"{path}, line {number}: not UTF-8 ({fault}); save it as UTF-8"
    first_lines = " ".join(str(error).splitlines()[:3])
    return f"{path}: cannot be read ({first_lines}); is the file whole? Write it again"


def quoted(column: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
