"""Texts as columns: their units, measures and tokens, as lists of spans."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy
import pyarrow

from latent_probes.warehouse.functions import measures, pretokens, units

SPANS = "STRUCT(starts_at INTEGER, ends_at INTEGER)[]"
WORDS = "STRUCT(starts_at INTEGER, ends_at INTEGER, word VARCHAR)[]"
UNITS = f"STRUCT(words {WORDS}, sentences {SPANS}, paragraphs {SPANS})"
COUNTS = "STRUCT(n_sentences INTEGER, n_paragraphs INTEGER)"
MEASURED_SENTENCES = (
    "STRUCT(starts_at INTEGER, ends_at INTEGER, n_words INTEGER, n_repeated_words INTEGER, "
    "n_copied_words INTEGER, n_long_words INTEGER, n_known_long_words INTEGER, "
    "language VARCHAR, language_score FLOAT)[]"
)
MEASURES = (
    "STRUCT(n_words INTEGER, diversities DOUBLE[], signature UINTEGER[], "
    f"sentences {MEASURED_SENTENCES})"
)


def text_units(texts: pyarrow.ChunkedArray, languages: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Struct of word, sentence and paragraph spans for each text; null for a null text."""
    words, sentences, paragraphs = [], [], []
    normal_forms: list[str] = []
    for text, language in zip(texts.to_pylist(), languages.to_pylist(), strict=True):
        text = text or ""
        lines = list(units.paragraph_spans(text))
        found = units.prose_word_spans(text, lines)
        words.append(found)
        # With the normalized form, models do not have to cut words out of the text again.
        normal_forms.extend(units.lower_words(text, found))
        divided = units.sentences_in(text, lines, language)
        sentences.append(list(units.proper_sentence_spans(text, divided)))
        paragraphs.append(list(units.proper_paragraph_spans(lines, sentences[-1])))
    return pyarrow.StructArray.from_arrays(
        [
            span_lists(words, word=pyarrow.array(normal_forms, pyarrow.string())),
            span_lists(sentences),
            span_lists(paragraphs),
        ],
        names=["words", "sentences", "paragraphs"],
    )


def text_words(texts: pyarrow.ChunkedArray) -> pyarrow.Array:
    """The words of ``text_units`` of each text."""
    found, normal_forms = [], []
    for text in texts.to_pylist():
        found.append(units.prose_word_spans(text or ""))
        normal_forms.extend(units.lower_words(text or "", found[-1]))
    return span_lists(found, word=pyarrow.array(normal_forms, pyarrow.string()))


def text_counts(texts: pyarrow.ChunkedArray, languages: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Struct of the numbers of sentences and paragraphs of each text, however they end."""
    pairs = [
        (text or "", language)
        for text, language in zip(texts.to_pylist(), languages.to_pylist(), strict=True)
    ]
    return pyarrow.StructArray.from_arrays(
        [
            pyarrow.array([ilen(units.sentence_spans(*pair)) for pair in pairs], pyarrow.int32()),
            pyarrow.array(
                [ilen(units.paragraph_spans(text)) for text, _ in pairs], pyarrow.int32()
            ),
        ],
        names=["n_sentences", "n_paragraphs"],
    )


def ilen(items: Iterable[object]) -> int:
    """The number of items."""
    return sum(1 for _ in items)


def text_units_method(languages: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Name and version of the method behind ``text_units``, for each language."""
    return pyarrow.array([f"{units.METHOD}, {language}" for language in languages.to_pylist()])


def text_measures(
    contexts: pyarrow.ChunkedArray, texts: pyarrow.ChunkedArray, languages: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """Struct of measures for each text; the language is a constant of the query."""
    return measures.measured(
        [before or "" for before in contexts.to_pylist()],
        [text or "" for text in texts.to_pylist()],
        languages[0].as_py() if len(languages) else "",
    )


def text_measures_method(languages: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Name and version of the method behind ``text_measures``, for each language."""
    return pyarrow.array([f"{measures.METHOD}, {language}" for language in languages.to_pylist()])


def text_parts(
    texts: pyarrow.ChunkedArray, starts: pyarrow.ChunkedArray, ends: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """List of the parts of each text from each start to its end.

    In linear time: for each part, ``substr`` reads the text from its beginning.
    """
    columns = (column.to_pylist() for column in (texts, starts, ends))
    return pyarrow.array(
        [
            [text[start:end] for start, end in zip(own_starts, own_ends, strict=True)]
            for text, own_starts, own_ends in zip(*columns, strict=True)
        ],
        pyarrow.list_(pyarrow.string()),
    )


def token_spans(
    texts: pyarrow.ChunkedArray,
    tokenizers: pyarrow.ChunkedArray,
    files: pyarrow.ChunkedArray,
) -> pyarrow.Array:
    """List of token spans for each text, by the tokenizer beside it."""
    given = [text or "" for text in texts.to_pylist()]
    places: dict[tuple[str, str], list[int]] = {}
    for place, pair in enumerate(zip(tokenizers.to_pylist(), files.to_pylist(), strict=True)):
        places.setdefault(pair, []).append(place)
    found = [numpy.zeros((0, 2), numpy.int32)] * len(given)
    for pair, chosen in places.items():
        spans = pretokens.token_spans([given[place] for place in chosen], *pair)
        for place, own in zip(chosen, spans, strict=True):
            found[place] = own
    flat = numpy.concatenate([numpy.zeros((0, 2), numpy.int32), *found])
    return listed(flat.T, [len(spans) for spans in found])


def tokenizer_version(
    tokenizers: pyarrow.ChunkedArray, files: pyarrow.ChunkedArray
) -> pyarrow.Array:
    """Name and file hash of each tokenizer."""
    return pyarrow.array(
        [
            units.tokenizer_version(*pair)
            for pair in zip(tokenizers.to_pylist(), files.to_pylist(), strict=True)
        ],
        pyarrow.string(),
    )


def span_lists(rows: list[list[units.Span]], **more_fields: pyarrow.Array) -> pyarrow.ListArray:
    """One Arrow list of spans per row, built from two flat columns."""
    counts = [len(row) for row in rows]
    flat = numpy.fromiter(
        chain.from_iterable(chain.from_iterable(rows)), numpy.int32, 2 * sum(counts)
    )
    return listed(flat.reshape(-1, 2).T, counts, **more_fields)


def listed(
    columns: numpy.ndarray, counts: list[int], **more_fields: pyarrow.Array
) -> pyarrow.ListArray:
    """Lists of ``counts`` spans each, whose starts and ends are the two ``columns``."""
    offsets = numpy.cumsum([0, *counts], dtype=numpy.int32)
    spans = pyarrow.StructArray.from_arrays(
        [*map(pyarrow.array, columns), *more_fields.values()],
        names=["starts_at", "ends_at", *more_fields],
    )
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), spans)


# SQL name, function, parameter types and result type.
FUNCTIONS = (
    ("text_units", text_units, ["VARCHAR"] * 2, UNITS),
    ("text_words", text_words, ["VARCHAR"], WORDS),
    ("text_counts", text_counts, ["VARCHAR"] * 2, COUNTS),
    ("text_units_method", text_units_method, ["VARCHAR"], "VARCHAR"),
    ("text_measures", text_measures, ["VARCHAR"] * 3, MEASURES),
    ("text_measures_method", text_measures_method, ["VARCHAR"], "VARCHAR"),
    ("text_parts", text_parts, ["VARCHAR", "BIGINT[]", "BIGINT[]"], "VARCHAR[]"),
    ("token_spans", token_spans, ["VARCHAR"] * 3, SPANS),
    ("tokenizer_version", tokenizer_version, ["VARCHAR"] * 2, "VARCHAR"),
)
