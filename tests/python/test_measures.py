"""Measures of a text's eligibility, compared with a plain implementation."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_probes.warehouse import functions
from latent_probes.warehouse.functions import measures, units

modest = settings(max_examples=60)
# Few words, so that much is repeated; some are long, some end sentences or lines.
wild_text = st.lists(
    st.sampled_from(
        ["a", "the", "house.", "garden", "Morning!", "river\n", "stone", "ü", "e\u0301clair",
         "\u2028", "。", "3.5", "don't", "<|endoftext|>", "\x00"]
    )
    | st.text(max_size=3),
    max_size=60,
).map(" ".join)  # fmt: skip


def measured(contexts, texts, language="en"):
    return measures.measured(contexts, texts, language).to_pylist()


def words_of(text):
    return [text[start:end].lower() for start, end in units.word_spans(text)]


def plain_diversity(words):
    product = 1.0
    for n in (2, 3, 4):
        grams = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
        product *= len(set(grams)) / len(grams) if grams else 1.0
    return product


def plain_sentences(before, text):
    """Words, repeated, copied, long and known long words of each sentence, word by word."""
    old = words_of(before)
    spans = list(units.word_spans(text))
    words = old + words_of(text)
    seen, repeated, copied = {}, set(), set()
    for place in range(len(words) - 3):
        gram = tuple(words[place : place + 4])
        if gram in seen:
            repeated |= set(range(place, place + 4))
            if seen[gram] < len(old) <= place:
                copied |= set(range(place, place + 4))
        seen.setdefault(gram, place)
    sentences = list(units.sentence_spans(text, "en"))
    first_words = [
        len(old) + next(i for i, span in enumerate([*spans, (len(text), 0)]) if span[0] >= start)
        for start, _ in sentences
    ]
    rows = []
    for number, first in enumerate(first_words):
        end = first_words[number + 1] if number + 1 < len(sentences) else len(words)
        before_here = set(words[:first])
        rows.append({
            "n_words": end - first,
            "n_repeated_words": len(repeated & set(range(first, end))),
            "n_copied_words": len(copied & set(range(first, end))),
            "n_long_words": sum(len(word) >= 5 for word in words[first:end]),
            "n_known_long_words": sum(
                len(word) >= 5 and word in before_here for word in words[first:]
            ),
        })  # fmt: skip
    return rows


@given(st.lists(st.tuples(wild_text, wild_text), max_size=5))
@modest
def test_all_at_once_is_as_one_by_one_the_plain_way(pairs):
    contexts, texts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for before, text, row in zip(contexts, texts, measured(contexts, texts), strict=True):
        assert row["n_words"] == len(words_of(text))
        assert row["diversities"] == pytest.approx([plain_diversity(words_of(text))])
        spans = [(part["starts_at"], part["ends_at"]) for part in row["sentences"]]
        assert spans == list(units.sentence_spans(text, "en"))
        expected = plain_sentences(before, text)
        assert [{key: part[key] for key in expected[0]} for part in row["sentences"]] == expected


@given(st.lists(wild_text | st.text("aZ9é’'-‐.ſĳ \n\0€", max_size=30), max_size=5))
@modest
def test_words_of_latin_texts_are_found_at_once_as_one_by_one(texts):
    words, strings = measures.words_of(texts)
    assert strings.to_pylist() == [word for text in texts for word in words_of(text)]
    assert words.size.tolist() == [len(word) for word in strings.to_pylist()]
    assert list(zip(words.row, words.starts_at, strict=True)) == [
        (row, start) for row, text in enumerate(texts) for start, _ in units.word_spans(text)
    ]


def test_texts_that_are_too_much_at_once_are_measured_in_parts(monkeypatch):
    contexts = ["The river and the garden. " * 3] * 7
    texts = [f"The garden and the river, {number} times. " * number for number in range(7)]
    whole = measured(contexts, texts)
    monkeypatch.setattr(measures, "MEASURED_AT_ONCE", 150)
    assert measured(contexts, texts) == whole


def test_diversity_is_taken_of_windows_of_equal_length():
    words = [f"w{number}" for number in range(600)]
    chance = random.Random(1)
    sound = " ".join(words)
    looped = " ".join([*words[:400], *(chance.choice(words[:2]) for _ in range(200))])
    (first,), (second,) = ([row] for row in measured(["", ""], [sound, looped]))
    assert first["diversities"] == [1.0, 1.0, 1.0]
    assert second["diversities"][:2] == [1.0, 1.0]
    assert second["diversities"][2] < 0.01


def test_signatures_agree_as_much_as_the_texts_do():
    words = [f"word{number}" for number in range(300)]
    page = " ".join(words)
    changed = " ".join([*words[:270], *(f"new{number}" for number in range(30))])
    other = " ".join(reversed(words))
    first, second, third = (row["signature"] for row in measured([""] * 3, [page, changed, other]))

    def agreement(one, two):
        return sum(a == b for a, b in zip(one, two, strict=True)) / len(one)

    # 267 of 327 shingles are common.
    assert agreement(first, second) == pytest.approx(267 / 327, abs=0.12)
    assert agreement(first, third) < 0.05
    assert first == measured([""], [page])[0]["signature"]


def test_a_text_without_words_has_measures():
    (row,) = measured(["before"], [" \n\x00 "])
    assert row["n_words"] == 0
    assert row["signature"] == []
    assert row["diversities"] == [1.0]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The children went back to school the next morning, and nobody spoke of it."),
        ("de", "Am nächsten Morgen gingen die Kinder wieder in die Schule."),
        ("fr", "Le lendemain matin, les enfants retournèrent à l'école."),
        ("ru", "На следующее утро дети снова пошли в школу."),
        ("zh", "第二天早上，孩子们照常去上学。"),
    ],
)
def test_a_sentence_has_its_language(language, text):
    (row,) = measured([""], [text])
    assert [part["language"] for part in row["sentences"]] == [language]
    assert row["sentences"][0]["language_score"] > 0.5


def test_the_function_of_sql_is_that_of_python():
    import duckdb

    connection = duckdb.connect()
    functions.register(connection)
    texts = ["One sentence. One sentence.", None, ""]
    rows = connection.execute(
        "select text_measures('Before.', text, 'en') from unnest($1) as texts (text)", [texts]
    ).fetchall()
    found = [row for (row,) in rows]
    expected = measured(["Before."] * 3, ["One sentence. One sentence.", "", ""])
    for one, two in zip(found, expected, strict=True):
        assert one["signature"] == two["signature"]
        assert [part["n_words"] for part in one["sentences"]] == [
            part["n_words"] for part in two["sentences"]
        ]
