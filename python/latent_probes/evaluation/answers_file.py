"""Read a method's answers from Parquet, JSONL or CSV, one row per probe.

Columns: doc_id and slot_idx as published, and `answer`, or a list `answers` (not in CSV). Optional:
`logp_atom` and `logp_ipa`, the log-probabilities of the atom and of the wrong answer.
`source_model` is needed only if two source models share a doc_id.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow

from latent_probes.common import sql

TYPES = {
    "doc_id": "VARCHAR",
    "source_model": "VARCHAR",
    "slot_idx": "DOUBLE",
    "answer": "VARCHAR",
    "answers": "VARCHAR[]",
    "logp_atom": "DOUBLE",
    "logp_ipa": "DOUBLE",
}
READERS = {
    ".parquet": "read_parquet({path}, hive_partitioning = false)",
    ".jsonl": "read_json({path}, format = 'newline_delimited', columns = {types})",
    ".csv": "read_csv({path}, header = true, all_varchar = true, strict_mode = true)",
}
# Errors of a row; the first that applies is reported.
PROBLEMS = {
    "doc_id is missing": "doc_id is null",
    "slot_idx is missing or not a number": "slot_idx is null",
    "neither answer nor answers": "answers is null and not has_answer",
    "both answer and answers": "answers is not null and has_answer",
    "answers is an empty list or contains a null": (
        "len(answers) = 0 or len(list_filter(answers, lambda x: x is null)) > 0"
    ),
    "one of logp_atom and logp_ipa is missing": "(logp_atom is null) != (logp_ipa is null)",
    "logp_atom or logp_ipa is not a log-probability": (
        "not (isfinite(logp_atom) and logp_atom <= 0 and isfinite(logp_ipa) and logp_ipa <= 0)"
    ),
    "no such probe has been published": "probe_id is null",
    "several source models have this probe: add the column source_model": "n_found > 1",
    "the probe is answered twice: list its answers in `answers`": "n_rows > 1",
}


class OracleError(Exception):
    """Answers cannot land; the message gives the reason and the row."""


def read(connection: duckdb.DuckDBPyConnection, path: Path) -> pyarrow.Table:
    """Read answers to an Arrow table of probe_id, answer_number, answer, logp_atom and logp_ipa.

    ``connection`` is a connection to the warehouse.
    """
    rows = f"""
        select
            row_number() over () as row_number,
            {", ".join(columns(connection, path))}
        from {source(path)}
    """
    matched = f"""
        with given as (
            select
                *,
                answer is not null as has_answer,
            from ({rows})
        ),
        published as (
            select probes.*
            from probes
            join round_settings using (round_number)
            where not round_settings.is_calibration
        )
        select
            given.*,
            published.probe_id,
            count(published.probe_id) over (partition by given.row_number) as n_found,
            -- Even if only one of the rows has the source model.
            count(*) over (partition by published.probe_id) as n_rows,
        from given
        left join published
            on
                given.doc_id = published.doc_id
                and given.slot_idx = published.slot_idx
                and coalesce(given.source_model = published.source_model, true)
    """
    branches = " ".join(
        f"when {condition} then {sql.literal(problem)}" for problem, condition in PROBLEMS.items()
    )
    try:
        connection.execute(f"create temporary table matched as {matched}")
        fault = connection.execute(
            f"select row_number, case {branches} end as problem from matched "
            "where problem is not null order by row_number limit 1"
        ).fetchone()
        if fault:
            raise OracleError(f"{path}, row {fault[0]}: {fault[1]}")
        found = connection.sql(
            """
            select
                probe_id,
                unnest(range(1, len(listed) + 1)) as answer_number,
                unnest(listed) as answer,
                logp_atom,
                logp_ipa,
            from (select *, coalesce(answers, [answer]) as listed from matched)
            order by probe_id, answer_number
            """
        ).to_arrow_table()
    except duckdb.Error as error:
        raise OracleError(f"{path} cannot be read: {error}") from None
    if not found.num_rows:
        raise OracleError(f"{path} contains no answers")
    return found


def source(path: Path) -> str:
    """SQL of the table to select from, by the file's suffix."""
    if not path.is_file():
        raise OracleError(f"{path}: no such file")
    if path.suffix not in READERS:
        raise OracleError(f"{path}: unknown format; the name must end in {', '.join(READERS)}")
    types = ", ".join(f"{name}: {sql.literal(kind)}" for name, kind in TYPES.items())
    return READERS[path.suffix].format(path=sql.file_literal(path), types=f"{{{types}}}")


def columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """SQL expressions of our columns over those of the file; missing ones are null."""
    try:
        described = connection.execute(f"describe from {source(path)}").fetchall()
    except duckdb.Error as error:
        raise OracleError(f"{path} cannot be read: {error}") from None
    known = {name for name, *_ in described}
    if missing := {"doc_id", "slot_idx"} - known:
        raise OracleError(f"{path} has no column {' and no column '.join(sorted(missing))}")
    found = []
    for name, kind in TYPES.items():
        value = f"try_cast({sql.identifier(name)} as {kind})" if name in known else f"null::{kind}"
        # An empty CSV field is an empty answer.
        if name == "answer" and name in known and path.suffix == ".csv":
            value = f"coalesce({value}, '')"
        found.append(f"{value} as {name}")
    return found
