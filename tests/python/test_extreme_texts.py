"""Texts of any length and shape are measured in linear time, and end no command."""

from __future__ import annotations

import json
import time

import duckdb
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes.common import sql
from latent_probes.warehouse import functions
from latent_probes.warehouse.functions import measures, texts, units

LENGTH = 100_000
SENTENCE = "She found that it had already been opened. "
# What they consist of, repeated. The last are in scripts in which a place is not a byte.
SHAPES = {
    "one sentence of the same word": "again ",
    "no white space": "x",
    "only line breaks": "\n",
    "only white space": " ",
    "only combining marks": "\u0301\u0323",
    "a word of combining marks": "e\u0301\u0323",
    "short sentences": "A b. ",
    "short paragraphs": "A few words here.\n",
    "only full stops": ".",
    "only control tokens": "<|eot_id|>",
    "text around articles": "Copyright: ä. ",
    "exam questions": "Q: ü? ",
    "quotes that are never closed": "“Yes é. ",
    "sentences in quotes": '"Yes. No. ',
    "stops in quotes": '" . ! ',
    "only markers of lists": "1. ",
    "only abbreviations": "Ms. ",
    "only capital letters with stops": "A.B. c. ",
    "sentences without white space": "彼女。",
}


def of(shape: str, length: int = LENGTH) -> str:
    """A text of some shape."""
    return (SHAPES[shape] * (length // len(SHAPES[shape]) + 1))[:length]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_of_any_shape_is_measured_in_linear_time(shape):
    started = time.process_time()
    (measured,) = measures.measured([SENTENCE], [of(shape)], "en").to_pylist()
    texts.text_units(pyarrow.chunked_array([[of(shape)]]), pyarrow.chunked_array([["en"]]))
    assert sum(found["n_words"] for found in measured["sentences"]) == measured["n_words"]
    assert time.process_time() - started < 5


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([*SHAPES.values(), SENTENCE, "“", "é", "\u00a0" * 9]), min_size=1),
    st.integers(min_value=5, max_value=40),
)
def test_sentences_that_are_read_in_parts_cover_the_words_of_the_text(pieces, length):
    text = ("é" + "".join(pieces) * 9).replace("\n", " ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "PART_LENGTH", length)
        spans = list(units.sentence_spans(text, "en"))
    ends = [0, *(end for _, end in spans)]
    assert all(before <= start < end for before, (start, end) in zip(ends, spans, strict=False))
    assert "".join(text[start:end] for start, end in spans).split() == text.split() or (
        "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    )


@pytest.mark.parametrize("normalized", ["word_text", "lens_text"])
@pytest.mark.parametrize("mark", ["\u0301\u0323", "x", " ", "\n"])
def test_an_answer_of_any_length_is_normalized_in_linear_time(mark, normalized):
    started = time.process_time()
    query = f"select {sql.macro(normalized, '$text')}"
    with duckdb.connect() as connection:
        connection.execute(query, {"text": "e" + mark * 100_000}).fetchall()
    assert time.process_time() - started < 2


def test_parts_of_a_text_are_cut_in_linear_time():
    started = time.process_time()
    text = "é. " * 30_000
    starts = list(range(0, len(text), 3))
    with duckdb.connect() as connection:
        functions.register(connection)
        ((parts,),) = connection.execute(
            "select text_parts($1, $2, $3)", [text, starts, [start + 2 for start in starts]]
        ).fetchall()
    assert parts == ["é."] * 30_000
    assert time.process_time() - started < 2


def rollouts(doc_id: str, prefix: str, *continuations: str) -> list[dict]:
    return [
        {
            "source_model": "m",
            "doc_id": doc_id,
            "doc_source": "page",
            "prefix": prefix,
            "continuation_idx": number,
            "continuation": continuation,
        }
        for number, continuation in enumerate(continuations)
    ]


PREFIX = "The White Rabbit was still in sight, hurrying down the long passage. " * 2
STORY = (
    "There she found a little door that she had not noticed before, behind a low curtain. The key "
    "fitted, to her great delight, and she looked through it into the loveliest garden. How she "
    "longed to get out of that dark hall, and wander among those beds of bright flowers!"
)


def test_no_shape_of_text_ends_a_command_and_each_is_cut_or_excluded(checkout):
    """Each as a continuation after a good beginning, and as a prefix."""
    rows = rollouts("loop", PREFIX, STORY, f"{STORY} It looked as if it {'very big ' * 42_000}")
    for shape in SHAPES:
        rows += rollouts(shape, PREFIX, f" {SENTENCE}{of(shape, 25_000)}")
        rows += rollouts(f"prefix of {shape}", of(shape, 25_000), STORY)
    file = checkout.folder / "rollouts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert f"landed {len(rows)} of {len(rows)}" in checkout.runs("latent-probes", "land", str(file))
    checkout.runs("latent-probes", "status")
    assert checkout.query(
        "select continuation_idx, kept_length, cut_reason, exclusion_reason "
        "from rollout_eligibility where doc_id = 'loop' order by all"
    ) == [(0, len(STORY), None, None), (1, len(STORY), "repetition", None)]
    excluded = dict(checkout.query("select doc_id, exclusion_reason from rollout_eligibility"))
    assert not [shape for shape in SHAPES if excluded[shape] is None]
    prefixes = dict(checkout.query("select doc_id, exclusion_reason from prefix_eligibility"))
    assert {prefixes[f"prefix of {shape}"] for shape in SHAPES} == {"prefix_too_long"}
