"""Rating sheets of answers for human raters, and the scores that come back.

A sheet shows what the judge is shown, without the judge's scores. An answer is identified by its
request and the hash of its text, so a score cannot attach to another answer.
"""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pyarrow

from latent_probes import landing, table_files, warehouse
from latent_probes.common import files, sql
from latent_probes.common.home import Home
from latent_probes.evaluation import raters
from latent_probes.table_files import Column, Number, Text

COLUMNS = ("answer_id", "answer_hash", "question", "atom_text", "answer", "score")
# Spreadsheets take a text with these first characters for a formula.
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
SCHEMA = [
    Column("answer_id", "answer_id", Text(), nullable=True),
    Column("answer_hash", "answer_hash", Text(), nullable=True),
    Column("score", "score", Number(0, 1, called="a score from 0 to 1"), nullable=True),
]


class RatingError(Exception):
    """A sheet cannot be written or landed; the message gives the reason and the row."""


def write_sheet(home: Home, path: Path, n_answers: int) -> int:
    """Write a sheet of published answers, in an order that depends only on their ids.

    Returns the number of answers. Raises RatingError if there are none, or if the file exists.
    """
    if path.suffix != ".csv":
        raise RatingError(f"{path}: a sheet is a CSV file, so name it .csv")
    if path.exists():
        raise RatingError(f"{path} already exists and might contain scores: choose another name")
    with warehouse.opened(home) as connection:
        rows = connection.execute(
            f"""
            select
                answers.request_id, answers.answer_hash, probes.verbalizer_prompt,
                {sql.macro("text_between", "documents.text", "atom_start", "atom_end")},
                responses.text
            from answers
            join responses using (request_id, attempt)
            join probes on answers.probe_id = probes.probe_id
            join documents using (document_id)
            -- Request ids are hashes, so the first ones are a sample.
            order by answers.request_id
            limit ?
            """,
            [n_answers],
        ).fetchall()
    if not rows:
        raise RatingError("there are no answers yet: run a round first")
    with files.atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as f:
        sheet = csv.writer(f)
        sheet.writerow(COLUMNS)
        for request_id, answer_hash, *texts in rows:
            sheet.writerow([request_id, answer_hash, *map(plain, texts), ""])
    return len(rows)


def plain(text: str) -> str:
    """Escape a text so that spreadsheets do not take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def land_ratings(home: Home, path: Path, rater: str, delimiter: str = ",") -> tuple[int, int]:
    """Land the scores of a sheet; return the number of new scores and of all scores.

    Builds the warehouse. Raises RatingError or FileError, and lands nothing, if the file or a row
    is invalid, or a score is not of an answer as it is in the warehouse.
    """
    rater = raters.named(rater, RatingError)
    scores = read(path, delimiter)
    n_rows = scores.num_rows
    if not n_rows:
        raise RatingError(f"{path} contains no scores: fill in the column `score`")
    warehouse.build(home, tested=False)
    with warehouse.opened(home) as connection:
        refuse_other_answers(connection, path, scores)
    return add(home, path, rater, scores), n_rows


def add(home: Home, path: Path, rater: str, scores: pyarrow.Table) -> int:
    """Land the scores that ``read`` returns; return the number of new ones."""
    scores = raters.signed(scores, rater, path)
    with landing.opened(home.landing) as connection:
        if differing := landing.differing_ratings(connection, scores):
            row_number, answer_id = differing[0]
            raise RatingError(
                f"{path}, row {row_number}: {rater} has already landed another score of "
                f"{answer_id!r} ({len(differing):,} such "
                f"{'row' if len(differing) == 1 else 'rows'}): landed scores never change, so use "
                "another --rater"
            )
        return landing.add_ratings(connection, scores.drop_columns(["row_number"]))


def read(path: Path, delimiter: str = ",") -> pyarrow.Table:
    """An Arrow table of row_number, answer_request_id, answer_hash and score of each score."""
    source = table_files.local_file(path, delimiter)
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table given (
                row_number bigint, problem varchar, answer_id varchar, answer_hash varchar,
                score double
            )
            """
        )
        table_files.read(
            connection,
            source,
            SCHEMA,
            lambda rows: (
                f"""
                insert into given
                select * replace (try_cast(score as double) as score)
                from {rows}
                where score is not null or problem is not null
            """
            ),
        )
        fault = connection.execute(
            """
            select
                row_number,
                case
                    when problem is not null then problem
                    when answer_id is null or answer_hash is null
                        then 'answer_id or answer_hash is missing'
                    when count(*) over (partition by answer_id order by row_number) > 1
                        then answer_id || ' is scored twice'
                end as fault,
            from given
            qualify fault is not null
            order by row_number
            limit 1
            """
        ).fetchone()
        if fault:
            raise RatingError(f"{path}, row {fault[0]}: {fault[1]}; fix or drop the row")
        return connection.sql(
            """
            select row_number, answer_id as answer_request_id, answer_hash, score
            from given
            order by answer_id
            """
        ).to_arrow_table()


def refuse_other_answers(
    connection: duckdb.DuckDBPyConnection, path: Path, scores: pyarrow.Table
) -> None:
    """Raise RatingError for the first row whose answer is unknown or has another text.

    ``connection`` is a connection to the warehouse, ``scores`` is what ``read`` returns.
    """
    connection.register("scores_of_sheet", scores)
    try:
        faults = connection.execute(
            """
            select
                scores.row_number,
                scores.answer_request_id,
                answers.answer_hash is not null as is_known,
            from scores_of_sheet as scores
            left join answers on scores.answer_request_id = answers.request_id
            where scores.answer_hash is distinct from answers.answer_hash
            order by scores.row_number
            limit 1
            """
        ).fetchall()
    finally:
        connection.unregister("scores_of_sheet")
    if not faults:
        return
    ((row_number, answer_id, is_known),) = faults
    place = f"{path}, row {row_number}: {answer_id[:80]!r}"
    if is_known:
        raise RatingError(
            f"{place} has another text (answer_hash) than the answer of this home: write the sheet "
            "again and rate that text"
        )
    raise RatingError(f"{place} is not the id of an answer of this home; fix or drop the row")
