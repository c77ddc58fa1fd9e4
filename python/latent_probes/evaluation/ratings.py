"""Rating sheets of answers for human raters, and the scores that come back.

A sheet shows what the judge is shown, without the judge's scores. An answer is identified by its
request and the hash of its text, so a score cannot attach to another answer.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow

from latent_probes import landing, warehouse
from latent_probes.common import files, sql
from latent_probes.common.home import Home

COLUMNS = ("answer_id", "answer_hash", "question", "ground_truth", "answer", "score")
# Spreadsheets take a text with these first characters for a formula.
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


# Python accepts more as a number than people write, for example 0_1.
PLAIN_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


class RatingError(Exception):
    """A sheet cannot be written or landed; the message gives the reason and the row."""


def write_sheet(home: Home, path: Path, n_answers: int) -> int:
    """Write a sheet of published answers, in an order that depends only on their ids.

    Returns the number of answers. Raises RatingError if there are none, or if the file exists.
    """
    if path.exists():
        raise RatingError(f"{path} already exists and might contain scores: choose another name")
    with warehouse.opened(home) as connection:
        rows = connection.execute(
            f"""
            select
                answers.request_id, answers.answer_hash, probes.verbalizer_prompt,
                {sql.text_between("documents.text", "atom_start", "atom_end")},
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


def land_ratings(home: Home, path: Path, rater: str) -> tuple[int, int]:
    """Land the scores of a sheet; return the number of new scores and of all scores.

    Raises RatingError, and lands nothing, if a row is invalid.
    """
    if not rater.strip():
        raise RatingError("--rater is empty: give the name of the rater")
    rows = list(read(path))
    if not rows:
        raise RatingError(f"{path} contains no scores")
    names = ("answer_request_id", "answer_hash", "score")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns |= {"rater": [rater] * len(rows), "file_hash": [files.hash_of(path)] * len(rows)}
    with landing.opened(home.landing) as connection:
        return landing.add_ratings(connection, pyarrow.table(columns)), len(rows)


def read(path: Path) -> Iterator[tuple[str, str, float]]:
    """Yield id, hash and score of each answer with a score."""
    if not path.exists():
        raise RatingError(f"{path}: no such file")
    seen = set()
    try:
        # Spreadsheets write a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            sheet = csv.DictReader(file, strict=True)
            missing = {"answer_id", "answer_hash", "score"} - set(sheet.fieldnames or ())
            if missing:
                raise RatingError(f"{path} has no column {' and no column '.join(sorted(missing))}")
            for number, row in enumerate(sheet, start=1):
                if not (row["score"] or "").strip():
                    continue
                answer_id = row["answer_id"]
                if not answer_id or not row["answer_hash"]:
                    raise RatingError(f"{path}, row {number}: answer_id or answer_hash is missing")
                if answer_id in seen:
                    raise RatingError(f"{path}, row {number}: {answer_id} is scored twice")
                seen.add(answer_id)
                yield answer_id, row["answer_hash"], score(row["score"], f"{path}, row {number}")
    except (csv.Error, UnicodeDecodeError) as error:
        raise RatingError(f"{path} cannot be read as CSV in UTF-8: {error}") from None


def score(text: str, where: str) -> float:
    """Parse a score from 0 to 1."""
    value = float(text) if PLAIN_NUMBER.fullmatch(text.strip()) else math.nan
    if not 0 <= value <= 1:
        raise RatingError(f"{where}: {text!r} is not a score from 0 to 1")
    return value
