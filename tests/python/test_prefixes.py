"""Pages are cut at seeded positions, and skipped rows are counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes.sampling import prefixes
from latent_probes.sampling.prefixes import Bounds, PrefixError, cut
from latent_probes.table_files import FileError

BOUNDS = Bounds(10, 40)
TEXTS = st.text(st.sampled_from("ab乌🧀é.,\n\t \u00a0\u2003\x85\x1c"), max_size=80)


def page(name: str, text: str | None = None) -> dict:
    """A row of a file of pages."""
    return {"id": name, "url": f"http://{name}", "text": text or f"{name} is " + "a word " * 20}


def written(folder: Path, rows: list[dict]) -> Path:
    """A file of JSON lines."""
    path = folder / "pages.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, n_documents: int | None = None, seed: int = 1, columns=None):
    """Prefixes and what was passed over."""
    return prefixes.read(path, columns or {}, BOUNDS, seed, n_documents)


@given(TEXTS, st.text(max_size=5), st.integers(1, 12), st.integers(0, 30))
def test_a_prefix_ends_with_a_word_before_white_space_and_within_bounds(text, key, shortest, more):
    bounds = Bounds(shortest, shortest + more)
    prefix = cut(text, key, bounds)
    places = [
        place
        for place in range(bounds.shortest, min(bounds.longest, len(text) - 1) + 1)
        if text[place] in " \t\n\r" and not text[place - 1].isspace()
    ]
    if prefix is None:
        assert not places
    else:
        assert text.startswith(prefix)
        assert len(prefix) in places
        assert cut(text, key, bounds) == prefix


@settings(max_examples=40)
@given(st.lists(TEXTS, max_size=12))
def test_sql_and_python_agree_on_what_can_be_cut(tmp_path_factory, texts):
    rows = [{"id": f"p{number}", "url": "u", "text": text} for number, text in enumerate(texts)]
    path = written(tmp_path_factory.mktemp("pages"), rows or [page("only")])
    found, passed_over = read(path)
    assert all(prefix.text for prefix in found)
    assert len(found) + sum(passed_over.values()) == max(len(rows), 1)
    fit = {row["id"] for row in rows if cut(row["text"], "any", BOUNDS) is not None}
    if rows:
        assert {prefix.doc_id for prefix in found} == fit


def test_every_place_is_drawn_alike():
    text = "aaaaaaaaa b c d e f"
    drawn = Counter(cut(text, f"key {number}", BOUNDS) for number in range(2000))
    assert len(drawn) == 4
    assert min(drawn.values()) > 400


def test_equal_files_give_equal_prefixes_and_parquet_those_of_jsonl(tmp_path):
    path = written(tmp_path, [page(f"p{number}") for number in range(30)])
    parquet = tmp_path / "pages.parquet"
    duckdb.execute(f"copy (from '{path}') to '{parquet}'")
    assert read(path) == read(path) == read(parquet)
    assert read(path) != read(path, seed=2)


def test_a_smaller_draw_is_the_beginning_of_a_larger_one(tmp_path):
    path = written(tmp_path, [page(f"p{number}") for number in range(30)])
    everything, _ = read(path)
    assert len(everything) == 30
    assert read(path, 7)[0] == everything[:7]
    assert [prefix.doc_id for prefix in everything] != sorted(p.doc_id for p in everything)
    assert read(path, 7, seed=2)[0] != everything[:7]


def test_skipped_pages_are_counted_by_reason(tmp_path):
    rows = [
        page("good"),
        page("good"),
        page("short", "too short"),
        page("exact", "ten places"),
        page("solid", "x" * 100),
        page("nul", "a word \x00 and " + "so on " * 20),
        page("blank") | {"prefix": " \n\u00a0"},
    ]
    found, passed_over = read(written(tmp_path, rows))
    assert [prefix.doc_id for prefix in found] == ["good"]
    assert passed_over == {
        "repeated": 1,
        "too short": 2,
        "without white space to cut before": 1,
        "with a NUL character": 1,
        "empty": 1,
    }


def test_a_row_that_is_a_prefix_is_taken_whole(tmp_path):
    rows = [page("page"), {"id": "whole", "url": "u", "prefix": "As it is, "}]
    rows[0]["prefix"] = None
    found, _ = read(written(tmp_path, rows))
    texts = {prefix.doc_id: prefix.text for prefix in found}
    assert texts["whole"] == "As it is, "
    assert rows[0]["text"].startswith(texts["page"])


def test_columns_may_have_other_names(tmp_path):
    rows = [{"key": 7, "where.it is": "u", 'b"ody': page("p")["text"]}]
    columns = {"id": "key", "url": "where.it is", "text": 'b"ody'}
    path = written(tmp_path, rows)
    ((prefix,), _) = read(path, columns=columns)
    assert (prefix.doc_id, prefix.doc_source) == ("7", "u")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a", "text": "b"}], "no column 'url' among id, text.*--column"),
        ([{"id": "a", "url": "u"}], "no column 'text'"),
        ([page("a"), page("b") | {"id": None}], "row 2: id is null"),
        ([page("a"), page("b") | {"text": None}], "row 2: neither prefix nor text"),
        ([page("a") | {"text": ["x"]}], "row 1: text is a list, not a text"),
        ([page("a") | {"id": "a\nb"}], "row 1: .*control characters"),
        ([page("a"), page("a", "another " * 20)], "row 2: id 'a' already exists"),
    ],
)
def test_a_row_with_a_fault_is_named(tmp_path, rows, said):
    with pytest.raises((PrefixError, FileError), match=said):
        read(written(tmp_path, rows))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "torn.jsonl").write_text(json.dumps(page("a")) + '\n{"id": "b", "te')
    with pytest.raises(FileError, match="row 2: not JSON"):
        read(tmp_path / "torn.jsonl")
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(FileError, match="cannot tell the format"):
        read(tmp_path / "pages.txt")
    with pytest.raises(PrefixError, match=r"no usable prefixes .1 too short"):
        prefixes.chosen(written(tmp_path, [page("a", "b")]), {}, BOUNDS, 1, None)
