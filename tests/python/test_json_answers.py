"""What is around an answer: thinking, code fences, and something besides its JSON object."""

from __future__ import annotations

import json
import time

import duckdb
import pytest
from damaged_answers import valid_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes.common import sql
from latent_probes.warehouse.functions import damaged_json, json_answers

FIELDS = ["document", "splits", "probes"]
ANSWER, ANOTHER = valid_answers(2, seed=5)
TEXT = json.dumps(ANSWER)
UNSEEN = ("\ufeff", "\u200b", "\u2060", "\u00a0")


def evaluated(name: str, text: str | None):
    with duckdb.connect() as connection:
        query = f"select {sql.macro(name, '$text')}"
        return connection.execute(query, {"text": text}).fetchall()[0][0]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *((text, text) for text in (None, "", "0.7", "  He goes.\n", '{"a": "x</think>y"}')),
        ("<think>It is {a} or 0.3.</think>0.7", "0.7"),
        ("<think>\n\n</think>\n\nHe goes.\n", "He goes."),
        ("He stays.\n</think>\n\nHe goes.", "He goes."),
        ("He stays.</think>He goes.", "He goes."),
        ("<think>He stays, or", ""),
        ("He goes.\n<think>\nOr does he", "He goes."),
        ("He goes.\n<think>\nYes.\n</think>\n", "He goes."),
        ("<think>a <think>b</think> c</think>d", "d"),
        ("<think>`</think>` ends it.</think>d", "d"),
        ("<THINKING time='3'>a</THINKING >b", "b"),
        ("<reasoning>a</reasoning>\n<answer>\nb\n</answer>", "b"),
        ("<seed:think>a</seed:think>b", "b"),
        *((f"{unseen}<think>a</think>{unseen}b", "b") for unseen in UNSEEN),
        ("\u200b<reasoning>a</reasoning>\u200b<answer>b</answer>", "b"),
        ("◁think▷a◁/think▷b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("<unused94>thought\na<unused95>b", "b"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>"
            "b<|return|>",
            "b",
        ),
        ("analysisWe need b.assistantfinalb", "b"),
        ("The tags <think> and </think> are used.", "The tags <think> and </think> are used."),
        ("It ends with “</think>”.", "It ends with “</think>”."),
        *(
            (text, text)
            for text in (
                "Then:\n<analysis>the data</analysis>\nends",
                "<reason>Because</reason>",
                "Use </think> to close.",
            )
        ),
    ],
)
def test_thinking_is_no_part_of_an_answer(text, answer):
    assert evaluated("without_thinking", text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *((text, text) for text in (None, "", "violet", "so ```violet```", "```a```b```")),
        ("```\nviolet\n```", "violet"),
        ("```text\nviolet,\nor blue\n```\n", "violet,\nor blue"),
        (" ```violet``` ", "violet"),
        *((f"{unseen}```\nviolet\n```{unseen}", "violet") for unseen in UNSEEN),
        ("```\nviolet", "violet"),
        ("````\n```\nviolet\n```\n````", "```\nviolet\n```"),
        ("~~~text\nviolet, ~2\n~~~", "violet, ~2"),
        ("~~~\nviolet", "violet"),
        ("~~~\na\n~~~\nb\n~~~\nc\n~~~", "~~~\na\n~~~\nb\n~~~\nc\n~~~"),
        ("```\na\n```\nb\n```\nc\n```", "```\na\n```\nb\n```\nc\n```"),
    ],
)
def test_a_fence_around_all_of_an_answer_is_no_part_of_it(text, answer):
    assert evaluated("without_fence", text) == answer


# A string of these stands before and after an answer.
AROUND = st.lists(
    st.sampled_from(
        [
            *('{"a": 1}', "{a}", "[1]", '["b"]', '{"c": "{', '"', "'", "```json\n", "\n```\n"),
            *("\\", "The {document}. ", *"[{}]:, ", "<b>", "don't ", '{"d": [{}]} '),
        ]
    ),
    max_size=6,
).map("".join)


@settings(max_examples=300)
@given(AROUND, AROUND, st.sampled_from([TEXT, json.dumps(ANSWER, indent=1), json.dumps(TEXT)]))
def test_whatever_is_around_an_answer_nothing_else_is_taken_for_it(before, after, text):
    found = json_answers.found_in(before + text + after, FIELDS)
    try:
        value = json.loads(found.json or "{}")
    except json.JSONDecodeError:
        return
    assert found.is_ambiguous or value == ANSWER or not value.keys() >= set(FIELDS)


@settings(max_examples=100)
@given(AROUND, AROUND, AROUND)
def test_of_two_different_answers_none_is_taken(before, between, after):
    text = f"{before}{TEXT}{between}{json.dumps(ANOTHER)}{after}"
    found = json_answers.found_in(text, FIELDS)
    assert found.is_ambiguous or found.json is None or not damaged_json_is_whole(found.json)


def damaged_json_is_whole(text: str) -> bool:
    """Whether a text is the JSON of an answer as it is."""
    try:
        return json.loads(text).keys() >= set(FIELDS)
    except (json.JSONDecodeError, AttributeError):
        return False


@pytest.mark.parametrize(
    "piece",
    [
        *("{", "[", '{"', '["', '{"a":', '{"a":1,', '{"a":"', '"{\\"', '{\\"', '{"a":1,}', "\\"),
        *('"', "`", '{"document":', '{"a":{"b":[', '{"a":1,"a":1}', "```\n{", "} ", '"a":["'),
        *('\\"', '\\"\n', '\\\\"\\n', '\\"{\\n', " \\"),
    ],
)
def test_no_text_is_searched_or_repaired_for_long(piece):
    started = time.process_time()
    text = piece * (50_000 // len(piece))
    for around in (text, TEXT + text, TEXT[:-3] + text, TEXT + text + '":', text + '{\\":'):
        json_answers.found_in(around, FIELDS)
        damaged_json.repaired(around)
    assert time.process_time() - started < 5


def test_a_longer_text_than_any_answer_is_not_read():
    assert json_answers.found_in(TEXT + " " * 1_000_000, FIELDS).json is None


PLAIN = '"splits": {}, "probes": {"whole_1": {"atom": "He"}}'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"document": "A", {PLAIN}, "document": "B"}}',
        f'So: {{"document": "A", {PLAIN}, "document": "B"}}',
        f'{{"answer": {{"document": "A", {PLAIN}, "document": null}}}}',
        '{"document": "A", "splits": {}, "probes": {"whole_1": {"atom": "He", "atom": "She"}}}',
        f'{{"document": "A", {PLAIN}, "document": "B", "more": [{"7" * 5000}]}}',
        f'{{"document": "A", {PLAIN}, "document": "B", "more": {"[" * 9999}{"]" * 9999}}}',
        json.dumps(f'{{"document": "A", {PLAIN}, "document": "B"}}'),
    ],
)
def test_an_answer_that_gives_a_field_two_values_is_not_taken(text):
    found = json_answers.found_in(text, FIELDS)
    assert found.is_ambiguous or found.json is None


@pytest.mark.parametrize(
    "text",
    [
        f'{{"document": "A", {PLAIN}, "document": "A"}}',
        f'{{"document": "A", {PLAIN}, {PLAIN}}}',
        '{"document": "A", "splits": {}, "probes": {"whole_1": {"atom": "He", "atom": "He"}}}',
    ],
)
def test_a_field_that_is_given_twice_with_one_value_is_one(text):
    found = json_answers.found_in(text, FIELDS)
    assert not found.is_ambiguous
    assert found.json == f'{{"document": "A", {PLAIN}}}'
