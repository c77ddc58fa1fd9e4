"""Marks of probes: what a file of the page may say, and what is refused with its row."""

from __future__ import annotations

import hashlib

import duckdb
import pytest

from latent_probes.evaluation import marks
from latent_probes.table_files import FileError

QUESTION = "What does she say?"
HASH = hashlib.md5(QUESTION.encode()).hexdigest()
HEADER = "probe_id,question_hash,mark,note,question\n"


@pytest.fixture
def probes():
    """A warehouse with one probe."""
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            create table probes as select 'p' as probe_id, '{QUESTION}' as verbalizer_prompt;
            create table names as
            select * from (values ('mark', 'good'), ('mark', 'leaks'), ('scope', 'word'))
                as names (kind, name)
            """
        )
        yield connection


def read(probes, folder, text) -> list[dict]:
    """What is read of a file with this text."""
    path = folder / "marks.csv"
    path.write_text(HEADER + text)
    return marks.read(probes, path).to_pylist()


def test_a_mark_a_note_or_both_are_read(probes, tmp_path):
    row = {"probe_id": "p", "question_hash": HASH}
    assert read(probes, tmp_path, f"p,{HASH},leaks,,{QUESTION}\n") == [
        row | {"mark": "leaks", "note": None}
    ]
    assert read(probes, tmp_path, f'p,{HASH},,"\'=1+1, <b>",x\n') == [
        row | {"mark": None, "note": "=1+1, <b>"}
    ]


def test_a_mark_is_withdrawn_even_if_its_question_has_changed(probes, tmp_path):
    row = {"mark": None, "note": None}
    assert read(probes, tmp_path, f"p,{HASH},withdrawn,,x\nq,0,withdrawn,,x\n") == [
        row | {"probe_id": "p", "question_hash": HASH},
        row | {"probe_id": "q", "question_hash": "0"},
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"p,{HASH},leaks,,x\np,{HASH},good,,x\n", "row 1: the probe is marked twice"),
        (f"p,{HASH},,,x\n", "row 1: there is neither a mark nor a note"),
        (f"p,{HASH},withdrawn,why,x\n", "row 1: a withdrawn mark has no note"),
        (f"p,{HASH},word,,x\n", "row 1: mark is word, not one of good, leaks"),
        (f"q,{HASH},good,,x\n", "row 1: probe_id is not that of a probe of this home"),
        ("p,0,good,,x\n", "row 1: the probe has another question"),
        (",0,good,,x\n", "row 1: probe_id is"),
        ("", "contains no"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_row(probes, tmp_path, text, fault):
    with pytest.raises((marks.MarkError, FileError), match=fault):
        read(probes, tmp_path, text)
