"""Sheets of answers that people score as the judge does, and the scores that come back.

A sheet shows what the judge is shown, and none of its scores. An answer is known by its request and
the hash of its text, so that a score never attaches to another answer.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pyarrow

from latent_probes import landing, warehouse
from latent_probes.common import files
from latent_probes.common.home import Home

COLUMNS = ("answer_id", "answer_hash", "question", "ground_truth", "answer", "score")
# With which a spreadsheet takes a text for a formula.
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


# Python reads more as a number than people write: 0_1, for one.
PLAIN_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


class RatingError(Exception):
    """A sheet cannot be written or landed; the message says why, and in which row."""


def write_sheet(home: Home, path: Path, n_answers: int) -> int:
    """Write a sheet of published answers, in an order that depends on their ids alone.

    Returns how many. Raises RatingError if there are none, or if the file is there.
    """
    if path.exists():
        raise RatingError(f"{path} is there already: it may hold scores")
    with warehouse.opened(home) as connection:
        rows = connection.execute(
            """
            select
                answers.request_id, answers.answer_hash, probes.verbalizer_prompt,
                substr(documents.text, atom_start + 1, atom_end - atom_start),
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
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def land_ratings(home: Home, path: Path, rater: str) -> tuple[int, int]:
    """Land the scores of a sheet; return how many were new, and how many there are.

    Raises RatingError, and lands nothing, if a row is at fault.
    """
    if not rater.strip():
        raise RatingError("--rater is empty: say whose scores they are")
    rows = list(read(path))
    if not rows:
        raise RatingError(f"{path} holds no scores")
    names = ("answer_request_id", "answer_hash", "score")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns |= {"rater": [rater] * len(rows), "file_hash": [files.hash_of(path)] * len(rows)}
    with landing.opened(home.landing) as connection:
        return landing.add_ratings(connection, pyarrow.table(columns)), len(rows)


def read(path: Path):
    """The id, hash and score of each answer of a sheet that has a score."""
    if not path.exists():
        raise RatingError(f"{path}: no such file")
    seen = set()
    try:
        # A spreadsheet writes the mark of its encoding first.
        with path.open(encoding="utf-8-sig", newline="") as file:
            sheet = csv.DictReader(file, strict=True)
            missing = {"answer_id", "answer_hash", "score"} - set(sheet.fieldnames or ())
            if missing:
                raise RatingError(f"{path} lacks the columns {', '.join(sorted(missing))}")
            for number, row in enumerate(sheet, start=1):
                if not (row["score"] or "").strip():
                    continue
                answer_id = row["answer_id"]
                if not answer_id or not row["answer_hash"]:
                    raise RatingError(f"{path}, row {number}: no answer_id or answer_hash")
                if answer_id in seen:
                    raise RatingError(f"{path}, row {number}: {answer_id} is scored twice")
                seen.add(answer_id)
                yield answer_id, row["answer_hash"], score(row["score"], f"{path}, row {number}")
    except (csv.Error, UnicodeDecodeError) as error:
        raise RatingError(f"{path} cannot be read as CSV in UTF-8: {error}") from None


def score(text: str, where: str) -> float:
    """A score, 0 to 1."""
    value = float(text) if PLAIN_NUMBER.fullmatch(text.strip()) else math.nan
    if not 0 <= value <= 1:
        raise RatingError(f"{where}: {text!r} is no score from 0 to 1")
    return value
