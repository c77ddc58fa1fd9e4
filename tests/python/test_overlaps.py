"""Atoms that overlap are counted as such, and probes that are alike count as fewer."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import duckdb
import pytest

from latent_probes.common import sql

# Document d: a split at 100; document e: another one, without a lens of the prefix.
PROBES = """
create table probes as
from (
    values
    ('d', 'longest', 'lens', 'suffix', 100, 150), ('d', 'shorter', 'lens', 'suffix', 100, 120),
    ('d', 'inside', 'word', 'suffix', 101, 104), ('d', 'at its end', 'word', 'suffix', 147, 150),
    ('d', 'beyond', 'word', 'suffix', 148, 151), ('d', 'sentence', 'sentence', 'suffix', 101, 110),
    ('d', 'before', 'lens', 'prefix', 90, 100), ('d', 'in it', 'word', 'prefix', 90, 95),
    ('d', 'before it', 'word', 'prefix', 85, 89), ('e', 'alone', 'word', 'prefix', 95, 99),
    ('e', 'single', 'lens', 'suffix', 100, 110)
) as probes (doc_id, probe_id, scope, target, atom_start, atom_end)
"""


def test_what_is_inside_a_longer_lens_of_its_document_is_nested():
    with duckdb.connect() as connection:
        connection.execute(PROBES)
        rows = connection.execute(
            f"select probe_id, {sql.macro('is_nested', 'doc_id', '100')} from probes"
        ).fetchall()
    assert {probe_id for probe_id, is_nested in rows if is_nested} == {
        *("shorter", "inside", "at its end", "in it"),
    }
    assert [probe_id for probe_id, is_nested in rows if is_nested is None] == ["sentence"]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        # Probes that are as different within a document as between documents.
        ([(1, 1)] * 12 + [(0, 1)] * 12, 24),
        # Four probes of each of six documents that are all right or all wrong.
        ([(4, 4)] * 3 + [(0, 4)] * 3, 5.2),
        # Half of the probes of each document: more than their number is not counted.
        ([(2, 4)] * 5 + [(1, 4)], 24),
        # No variation, and too few documents.
        ([(4, 4)] * 6, None),
        ([(4, 4)] * 3 + [(0, 4)], None),
    ],
)
def test_probes_of_a_document_that_are_alike_count_as_fewer(documents, expected):
    number = sql.macro("effective_number", "n_right", "n_right", "n_probes")
    rows = ", ".join(map(str, documents))
    with duckdb.connect() as connection:
        ((found,),) = connection.execute(
            f"select {number} from (values {rows}) as documents (n_right, n_probes)"
        ).fetchall()
    assert found == expected


def test_no_count_of_probes_is_called_an_effective_number():
    columns = (Path(__file__).parents[2] / "models/_columns.md").read_text()
    described = re.findall(r"(?s){% docs (\w+) %}(.*?){% enddocs %}", columns)
    assert [name for name, text in described if "effective" in text] == []
    card = resources.files("latent_probes.publication").joinpath("card.md.jinja").read_text()
    assert "effective number" not in card
