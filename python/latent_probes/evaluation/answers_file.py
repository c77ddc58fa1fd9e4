"""Read a method's answers from Parquet, JSONL or CSV, one row per probe.

Columns: doc_id and slot_idx as published, and `answer`, or a list `answers` (not in CSV). Optional:
`logp_atom` and `logp_ipa`, the log-probabilities of the atom and of the wrong answer.
`source_model` is needed only if two source models share a doc_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow

from latent_probes import table_files
from latent_probes.common import sql, terminal
from latent_probes.table_files import Column, Number, Text, Texts

LOG_PROBABILITY = Number(-(10**9), 0, called="a log-probability")
COLUMNS = [
    Column("doc_id", "doc_id", Text(or_integer=True)),
    Column("source_model", "source_model", Text(), required=False, nullable=True),
    Column("slot_idx", "slot_idx", Number(0, 2**31, whole=True, called="the number of a slot")),
    Column("answer", "answer", Text(), required=False, nullable=True, empty_is_text=True),
    Column("answers", "answers", Texts(), required=False, nullable=True),
    Column("logp_atom", "logp_atom", LOG_PROBABILITY, required=False, nullable=True),
    Column("logp_ipa", "logp_ipa", LOG_PROBABILITY, required=False, nullable=True),
]
NO_PROBE = "no such probe has been published"
# Errors of a row beside those of its values; the first that applies is reported.
PROBLEMS = {
    "neither answer nor answers": "answers is null and answer is null",
    "both answer and answers": "answers is not null and answer is not null",
    "answers is an empty list": "len(answers) = 0",
    "one of logp_atom and logp_ipa is missing": "(logp_atom is null) != (logp_ipa is null)",
    NO_PROBE: "probe_id is null",
    "several source models have this probe: add the column source_model": "n_found > 1",
    "the probe is answered twice: list its answers in `answers`": "n_rows > 1",
}


class OracleError(Exception):
    """Answers cannot land; the message gives the reason and the row."""


def probes_of(rounds: Sequence[int] | None) -> str:
    """The query for the probes that methods answer: those of ``rounds``, by default of all.

    Without calibrations and withdrawn rounds.
    """
    listed = "true" if rounds is None else f"list_contains({list(rounds)}::bigint[], round_number)"
    return f"""
        select probes.*
        from probes
        join round_settings using (round_number)
        where
            not round_settings.is_calibration
            and round_settings.state != 'withdrawn'
            and {listed}
    """


def read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    delimiter: str = ",",
    rounds: Sequence[int] | None = None,
) -> pyarrow.Table:
    """Read answers to an Arrow table of probe_id, answer_number, answer, logp_atom and logp_ipa.

    ``connection`` is a connection to the warehouse, ``rounds`` are those that are published (by
    default all). Raises OracleError, or FileError for a file that cannot be read.
    """
    connection.execute(
        """
        create or replace temporary table given (
            row_number bigint, problem varchar, doc_id varchar, source_model varchar,
            slot_idx bigint, answer varchar, answers varchar[], logp_atom double, logp_ipa double
        )
        """
    )
    table_files.read(
        connection,
        table_files.local_file(path, delimiter),
        COLUMNS,
        lambda rows: (
            f"""
            insert into given by name
            select * replace (
                try_cast(slot_idx as bigint) as slot_idx,
                try_cast(logp_atom as double) as logp_atom,
                try_cast(logp_ipa as double) as logp_ipa
            )
            from {rows}
        """
        ),
    )
    branches = " ".join(
        f"when {condition} then {sql.literal(problem)}" for problem, condition in PROBLEMS.items()
    )
    connection.execute(
        f"""
        create or replace temporary table matched as
        with published as ({probes_of(rounds)})
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
    )
    fault = connection.execute(
        f"""
        select row_number, coalesce(problem, case {branches} end) as problem, doc_id, slot_idx
        from matched
        where coalesce(problem, case {branches} end) is not null
        order by row_number
        limit 1
        """
    ).fetchone()
    if fault:
        row_number, problem, doc_id, slot_idx = fault
        if problem == NO_PROBE:
            problem += f" as doc_id {terminal.shortened(doc_id)!r}, slot_idx {slot_idx}"
        raise OracleError(f"{path}, row {row_number}: {problem}; fix or drop the row")
    return connection.sql(
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
