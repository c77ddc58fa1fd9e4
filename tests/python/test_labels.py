"""Rules about questions and atoms whose cases are many."""

from __future__ import annotations

import time

import duckdb
import pytest

from latent_probes.common import sql
from latent_probes.warehouse.functions import units

ORDINARY = [
    "How did the couple split the estate?",
    "What caused the split between the two churches?",
    "Why did the band split, and what happened after its split?",
    "How was the vote split, and in which split second did he decide?",
    "What split the group?",
    "How does the split in the party end?",
    "Which prefix do the phone numbers share?",
    "What suffix marks the plural?",
    "Does the prefix 'un-' change its meaning?",
    "How did the prefixed title change?",
    "What happened after the split in the party?",
    "Who led them after the split with Rome, before the split between the churches?",
    "Which country has the prefix for Germany, and what is the prefix of the phone number?",
    "What does the suffix of the second word mean?",
    "What is the prefix of 49?",
]
ABOUT_THE_PROBE = [
    "What happens after the split?",
    "What was decided at the split, and what follows the split?",
    "What does the suffix say about the estate?",
    "What does the Prefix say?",
    "Given the prefix, what is the next step?",
    "What in the shared prefix prepares the verdict?",
    "Where is the split point?",
    "Which claim does the suffix text make?",
    "What is established in the prefix of the document?",
    "What does the suffix of this text reveal?",
    "What does the prefix to this short story prepare?",
    "What is said in the prefix for the reader?",
    "What happens after the split in this story?",
    "What follows the split with respect to Anna?",
    "What comes after the split of this text?",
]


def mentions(question, document):
    query = f"select {sql.macro('mentions_split', '$question', '$document')}"
    return duckdb.execute(query, {"question": question, "document": document}).fetchone()[0]


@pytest.mark.parametrize("question", ORDINARY)
def test_ordinary_words_are_no_fault_of_a_question(question):
    assert not mentions(question, "They divided it.")


@pytest.mark.parametrize("question", ABOUT_THE_PROBE)
def test_a_question_about_its_own_making_is_a_fault(question):
    assert mentions(question, "They divided it.")


def test_a_word_of_the_document_is_meant_as_the_document_means_it():
    assert not mentions("What happens after the split?", "The party Split in March.")
    assert not mentions("What does the suffix mean?", "Add the suffix -ness.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("She said <em>no</em> to <a href='x.y'>it</a>&nbsp;twice<br/>", "She said no to it twice"),
        ("A < b and c > d, AT&T; <3", "A b and c d AT T 3"),
        ("1. One\n (b) two\niv) three\n\t12) twelve\n2020. Then", "One two three twelve 2020 Then"),
        ("It was item 4. She left. (c) by nobody", "It was item 4 She left c by nobody"),
        ("a don't-care 5-year plan", "a don't-care 5-year plan"),
        ("It cost $1,000,000 in March, 2.5 % more", "It cost 1,000,000 in March 2.5 more"),
        ("At 10:30, the U.S. won; e.g., 3:0.", "At 10:30 the U.S. won e.g. 3:0"),
        ("J.R.R. Tolkien, plan B. A man", "J.R.R. Tolkien plan B A man"),
        ("In 1990, 2,000-year v1.5x2.5 a.b.cd", "In 1990 2,000-year v1.5x2.5 a.b. cd"),
        ("if x<y and z>w then <input disabled> a<b or c>d", "if x y and z w then a b or c d"),
    ],
)
def test_markup_and_list_markers_are_no_words(text, words):
    assert [text[start:end] for start, end in units.prose_word_spans(text)] == words.split()


@pytest.mark.parametrize("part", ["a.", "1,", " a", "1.5x", ".a\u0301"])
def test_words_of_a_text_of_any_length_are_found_in_linear_time(part):
    started = time.process_time()
    units.prose_word_spans("<input" + part * 20_000)
    assert time.process_time() - started < 3
