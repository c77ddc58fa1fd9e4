"""Repair of generator answers that are almost JSON."""

from __future__ import annotations

import json
import time

import duckdb
import pyarrow
import pytest
import regex
from conftest import compiled_project
from damaged_answers import DAMAGES, TEXT_FIELDS, Reader, damaged, is_part_of, valid_answers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latent_probes.warehouse.functions import damaged_json

ANSWERS = valid_answers(30, seed=2)
# Repairing one takes 15 ms.
SOME = ANSWERS[:20]
# Read as they are; what is around them is left out.
STRICT = {
    *("trailing_comma", "fence_and_prose", "not_a_number", "doubled_braces"),
    *("thinking_with_braces", "reasoning_with_braces", "object_before", "object_after"),
    *("prose_with_braces_after", "twice", "list_around", "object_around", "json_string"),
    *("escaped_quotes", "several_fences"),
}
# Refused, since the text can be read as two answers.
AMBIGUOUS = {
    *("two_objects", "two_in_a_list", "draft_and_final", "another_that_is_cut_off"),
    *("another_that_is_damaged", "a_field_beside_it", "a_correction"),
    "an_answer_in_a_damaged_one",
}
# Share of answers that must come through; those of the other kinds must all be rejected.
FLOORS = {
    "doubled_quote": 0.0,
    "stray_bracket": 0.0,
    "unescaped_quotes": 0.95,
    "one_unescaped_quote": 0.95,
    "raw_newlines": 0.95,
    "quotes_and_newlines": 0.95,
    "invalid_escapes": 0.95,
    "missing_comma": 0.95,
    "missing_brace": 0.8,
    "fence_around_unescaped_quotes": 0.95,
    "object_before_unescaped_quotes": 0.95,
    "prose_after_unescaped_quotes": 0.95,
    "truncation": 0.3,
}
# A structural character put in anywhere, or any character taken out.
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["", *'"\\{}[],:\n'])), max_size=4
)
JSON_LIKE = st.lists(
    st.sampled_from([*"\"\\{}[],:\n '/*#`", "a", "1", "\\ud83d", "NaN", "null"])
).map("".join)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(compiled_project().nodes["generator_outputs"].statement)


def strings(value) -> list[str]:
    """Every text in an output."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def occurs(value: str, text: str) -> bool:
    """Whether the value stands between quotes in the text, once escapes are read one by one."""

    def read(escapes: regex.Match) -> str:
        try:
            return json.loads(f'"{escapes[0]}"')
        except json.JSONDecodeError:
            return escapes[0].replace("\\'", "'")

    return f'"{value}"' in regex.sub(r"(?s)(?:\\u[0-9a-fA-F]{4})+|\\.", read, text)


def mended(text: str | None) -> str | None:
    return damaged_json.repair_json(pyarrow.chunked_array([[text]], pyarrow.string()))[0].as_py()


# Several texts an example: a reading takes 40 ms, whatever it reads.


@settings(max_examples=12)
@given(st.lists(st.lists(st.text(), min_size=9, max_size=9), min_size=5, max_size=5))
def test_strict_json_is_read_unchanged(reader, several):
    answers = valid_answers(len(several), seed=3)
    for answer, texts in zip(answers, several, strict=True):
        answer["document_rationale"], answer["split_rationale"], *fields = texts
        probe = answer["probes"]["sentence_1"]
        probe |= dict(zip(list(probe)[2:], fields, strict=False))
    texts = [json.dumps(answer) for answer in answers]
    texts += [json.dumps(answer, ensure_ascii=False, indent=1) for answer in answers]
    assert reader.read(texts) == [
        {"rejection_reason": None, "was_repaired": False, "output": answer}
        for answer in answers * 2
    ]


def edited(number: int, edits: list[tuple[float, str]], is_ascii: bool) -> str:
    text = json.dumps(ANSWERS[number], ensure_ascii=is_ascii)
    for share, character in edits:
        place = int(share * len(text))
        text = text[:place] + character + text[place + (not character) :]
    return text


@settings(max_examples=15)
# A comma of a text looks like a trailing one.
@example([(21, [(0.1, '"'), (0.1, "}")], False)])
@given(
    st.lists(
        st.tuples(st.integers(0, len(ANSWERS) - 1), EDITS, st.booleans()), min_size=10, max_size=10
    )
)
def test_no_text_is_accepted_that_does_not_occur(reader, several):
    texts = [edited(*one) for one in several]
    for text, outcome in zip(texts, reader.read(texts), strict=True):
        if outcome["was_repaired"] and outcome["rejection_reason"] is None:
            assert all(occurs(value, text) for value in strings(outcome["output"]))


@pytest.mark.parametrize("kind", DAMAGES)
def test_nothing_is_accepted_that_the_generator_did_not_write(reader, kind):
    texts = damaged(kind, SOME)
    outcomes = reader.read(texts)
    accepted = [number for number, row in enumerate(outcomes) if row["rejection_reason"] is None]
    for number in accepted:
        output, was_repaired = outcomes[number]["output"], outcomes[number]["was_repaired"]
        assert is_part_of(output, SOME[number])
        assert was_repaired == (kind not in STRICT)
        if was_repaired:
            assert all(occurs(value, texts[number]) for value in strings(output))
    if kind in STRICT:
        assert len(accepted) == len(SOME)
    elif kind in FLOORS:
        assert len(accepted) / len(SOME) >= FLOORS[kind]
    else:
        assert not accepted
    if kind in AMBIGUOUS:
        assert {row["rejection_reason"] for row in outcomes} == {"several_answers"}


def first_probe(answer: dict) -> dict:
    return answer["probes"]["sentence_1"]


def swallow(answer: dict) -> None:
    taken = json.dumps(answer["probes"].pop("sentence_2"), ensure_ascii=False)[:-2]
    first_probe(answer)["difficulty_check"] += f'"}}, "sentence_2": {taken}'


INVENTIONS = {
    "nothing": lambda answer: None,
    "a word": lambda answer: first_probe(answer).update(synergy_check="Invented."),
    "a comma": lambda answer: first_probe(answer).update(synergy_check="One two."),
    "a space": lambda answer: first_probe(answer).update(synergy_check="One,two."),
    "a field that is lost": lambda answer: first_probe(answer).pop("difficulty_check"),
    "a split that is lost": lambda answer: answer["splits"].pop("whole"),
    "a probe that is lost": lambda answer: answer["probes"].pop("whole_1"),
    "a probe in a text": swallow,
    "a list": lambda answer: first_probe(answer).update(synergy_check=["One, two."]),
    "a text in place of a list": lambda answer: first_probe(answer).update(units="d1.s21"),
    "another field": lambda answer: answer.update(note="One, two."),
    "two texts changed places": lambda answer: first_probe(answer).update(
        synergy_check=first_probe(answer)["difficulty_check"], difficulty_check="One, two."
    ),
}


@pytest.mark.parametrize("invention", INVENTIONS)
def test_whatever_json_repair_invents_is_found_out(reader, invention, monkeypatch):
    answer = valid_answers(1, seed=4)[0]
    first_probe(answer).update(synergy_check="One, two.", units=["d1.s21"])
    answer["probes"]["sentence_2"].update(dict.fromkeys(TEXT_FIELDS, "One."), first_words="One")
    text = json.dumps(answer, ensure_ascii=False).replace('", "', '" "', 1)
    INVENTIONS[invention](answer)
    monkeypatch.setattr(damaged_json, "repaired", lambda _: json.dumps(answer, ensure_ascii=False))
    (outcome,) = reader.read([text])
    assert outcome["was_repaired"]
    assert (outcome["rejection_reason"] is None) == (invention == "nothing")


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "pause_turn", None])
def test_nothing_is_mended_that_did_not_end_normally(reader, stop_reason):
    kinds = sorted(set(DAMAGES) - STRICT)
    texts = [text for kind in kinds for text in damaged(kind, ANSWERS[:5])]
    outcomes = reader.read(texts, stop_reason)
    assert not any(row["was_repaired"] for row in outcomes)
    assert all(row["rejection_reason"] for row in outcomes)


@settings(max_examples=300)
@given(st.text() | JSON_LIKE | JSON_LIKE.map(lambda text: f'{{"a": {text}}}'))
def test_a_mended_text_is_a_valid_object(text):
    result = mended(text)
    if result is not None:
        (valid,) = duckdb.execute("select json_valid($1), json_type($1)", [result]).fetchall()
        assert valid == (True, "OBJECT")


@pytest.mark.parametrize(
    "text",
    [
        None,
        '{"a": NaN}',
        '{"a": ' + "[" * 100_000,
        '{"a": ' + '{"a": ' * 100_000,
    ],
)
def test_json_that_cannot_be_repaired_is_null(text):
    assert mended(text) is None


def test_mending_takes_no_more_than_a_moment_for_long_answers():
    started = time.monotonic()
    text = json.dumps(ANSWERS[0], ensure_ascii=False).replace('\\"', '"')
    mended(text[:-3] * 10)
    assert time.monotonic() - started < 5
