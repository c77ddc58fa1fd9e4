"""Marks that people give probes on the explorer's page.

A mark is of the question that was read: it carries the question's hash, so it cannot attach to
another one. A mark that was removed on the page is in its file as withdrawn.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow

from latent_probes import landing, table_files, warehouse
from latent_probes.common.home import Home
from latent_probes.evaluation import raters
from latent_probes.evaluation.ratings import FORMULA_STARTS
from latent_probes.table_files import Column, Text

SCHEMA = [
    Column("probe_id", "probe_id", Text()),
    Column("question_hash", "question_hash", Text()),
    Column("mark", "mark", Text(), nullable=True),
    Column("note", "note", Text(), nullable=True),
]


# What the page's file has as the mark of a probe whose mark was removed.
WITHDRAWN = "withdrawn"


class MarkError(Exception):
    """A file of marks cannot be landed; the message gives the reason and the row."""


def land_marks(home: Home, path: Path, rater: str, delimiter: str = ",") -> tuple[int, int]:
    """Land the marks of a file; return the number of new or changed ones and of all.

    Builds the warehouse. Raises MarkError or FileError, and lands nothing, if the file or a row is
    invalid, or a mark is not of a probe as it is in the warehouse.
    """
    rater = raters.named(rater, MarkError)
    warehouse.build(home, tested=False)
    with warehouse.opened(home) as probes:
        marks = raters.signed(read(probes, path, delimiter), rater, path)
    with landing.opened(home.landing) as connection:
        return landing.add_marks(connection, marks), marks.num_rows


def read(probes: duckdb.DuckDBPyConnection, path: Path, delimiter: str = ",") -> pyarrow.Table:
    """An Arrow table of probe_id, question_hash, mark and note, one row per marked probe.

    A withdrawn mark has neither mark nor note, and can be of a probe that is no longer there.
    ``probes`` is a connection to the warehouse. Raises MarkError for the first row at fault.
    """
    source = table_files.local_file(path, delimiter)
    with duckdb.connect() as connection:
        connection.execute(
            "create table given (row_number bigint, problem varchar, probe_id varchar, "
            "question_hash varchar, mark varchar, note varchar)"
        )
        table_files.read(connection, source, SCHEMA, lambda rows: f"insert into given from {rows}")
        # Files of the page protect a note that a spreadsheet would take for a formula.
        connection.execute(
            "update given set note = substr(note, 2) "
            "where substr(note, 1, 1) = '''' and list_contains($starts, substr(note, 2, 1))",
            {"starts": list(FORMULA_STARTS)},
        )
        given = connection.sql("from given").to_arrow_table()
    probes.register("given_marks", given)
    try:
        faults = probes.execute(
            """
            select
                given.row_number,
                case
                    when given.problem is not null then given.problem
                    when count(*) over (partition by given.probe_id) > 1
                        then 'the probe is marked twice'
                    when given.mark = $withdrawn
                        then if(given.note is not null, 'a withdrawn mark has no note', null)
                    when given.mark is null and given.note is null
                        then 'there is neither a mark nor a note'
                    when given.mark is not null and names.name is null
                        then concat(
                            'mark is ', left(given.mark, 40), ', not one of ',
                            (select string_agg(name, ', ') from names where kind = 'mark')
                        )
                    when probes.probe_id is null then 'probe_id is not that of a probe of this home'
                    when md5(probes.verbalizer_prompt) != given.question_hash
                        then 'the probe has another question (question_hash) than the marked one'
                end as fault,
            from given_marks as given
            left join names on names.kind = 'mark' and given.mark = names.name
            left join probes on given.probe_id = probes.probe_id
            qualify fault is not null
            order by given.row_number
            limit 1
            """,
            {"withdrawn": WITHDRAWN},
        ).fetchall()
        marks = probes.sql(
            "select probe_id, question_hash, nullif(mark, $withdrawn) as mark, note "
            "from given_marks order by row_number",
            params={"withdrawn": WITHDRAWN},
        ).to_arrow_table()
    finally:
        probes.unregister("given_marks")
    if faults:
        ((row_number, fault),) = faults
        raise MarkError(f"{path}, row {row_number}: {fault}; fix or drop the row")
    if not marks.num_rows:
        raise MarkError(f"{path} contains no marks")
    return marks
