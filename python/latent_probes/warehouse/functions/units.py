"""The units of a text as spans of code points: words, sentences, paragraphs, tokens.

Pure functions on strings. A span is a pair ``(starts_at, ends_at)`` such that
``text[starts_at:ends_at]`` is the unit; spans are in order, never empty, and have no leading
or trailing white space.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import regex
import sentencex

from latent_probes.common import sql

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Span = tuple[int, int]

# Letters and digits with their combining marks; inner apostrophes and hyphens belong to the word.
WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['’\-‐][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*")
# The same in a text of Latin letters and punctuation, where it takes half the time.
LATIN_WORD = re.compile(r"[A-Za-z0-9ª²³µ¹º¼-¾À-ÖØ-öø-ɏ]+(?:['’\-‐][A-Za-z0-9ª²³µ¹º¼-¾À-ÖØ-öø-ɏ]+)*")
OTHER = re.compile("[^\x00-ɏ\u2000-\u206f€]")
# What joins two words into one: in numbers such as `1,000` or `10:30`, between letters as in `U.S.`
JOINT = regex.compile(
    r"(?<=\p{N})[.,:/](?=\p{N})"
    r"|(?<=(?<![\p{L}\p{N}\p{M}])\p{L}\p{M}*)(?P<stop>\.)(?=\p{L}\p{M}*+(?![\p{L}\p{N}\p{M}]))"
)
# Tags such as `<em>` and entities such as `&nbsp;`. Only some tags have attributes without a value:
# nothing in `if x<y and z>w` is one.
VALUE = r"""\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>]++)"""
SWITCHED = (
    "input|option|button|select|textarea|script|video|audio|iframe|ol|details|dialog|form|img|track|"
    "t[dhr]|table|object|link|style|fieldset|optgroup"
)
MARKUP = regex.compile(
    rf"</?[a-z][a-z0-9]*+(?:\s++[\w:-]++{VALUE})*+\s*+/?>"
    rf"|<(?:{SWITCHED})(?:\s++[\w:-]++(?:{VALUE})?+)*+\s*+/?>"
    r"|&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});",
    regex.IGNORECASE,
)
# `4.`, `(b)` or `iv)`, if it begins a line.
LIST_MARKER = regex.compile(r"\(?(?:\p{N}{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)](?=\s)")
# Extracted web text has no blank lines, so a paragraph is a line.
LINE = regex.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
# What ends a finished sentence, and abbreviations that end none.
SENTENCE_END = regex.compile(sql.macro("sentence_end"))
TITLE_END = regex.compile(sql.macro("title_end"))
# It is looked for in this many characters, more than any has.
TITLE_LENGTH = 10
# Abbreviations before a number.
NUMBERED_END = regex.compile(r"(?i)\b(?:approx|art|chap?|eds?|eqs?|figs?|nos?|pp?|sect?|vols?)\.$")
# A last word that can be abbreviated: with a capital letter, or a full stop inside.
NAME_END = regex.compile(r"(?:^|[\s(])[\"“]?(?:\p{Lu}\S*|\S+\.\S+)\.$")
LETTER = regex.compile(r"\p{L}")
# Of ASCII, what can end a sentence.
STOP = re.compile("[.!?;:]")
QUOTE = regex.compile(r'["“”„«»]')
# What can be the end of a sentence, and the beginning of the next one.
INNER_END = regex.compile(r"[.!?…]\s++[“‘'\"(\[]*\p{Lu}")
# The same before a sentence, with bullets and what follows, and without `J.` before a name.
MARKER = regex.compile(
    r"(?:(?:[(\[]?\d{1,3}[.)\]]|\(?[A-Za-z]\)|[IVXLC]{2,5}[.)]|[-*•–—▪◦·‣])\s++)+"
)
# At least two words, where words have spaces between them.
TWO_WORDS = regex.compile(
    r"\p{L}\S*+\s[^\p{L}]*+\p{L}|[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{2}"
)
# sentencex takes quadratic time for a paragraph that is not ASCII. One that is longer than any
# eligible prefix or continuation is read in parts.
PART_LENGTH = 20_000

METHOD = f"units 4, sentencex {importlib.metadata.version('sentencex')}"


def word_spans(text: str) -> list[Span]:
    """Words of ``text``, in order."""
    words = LATIN_WORD if is_latin(text) else WORD
    return [match.span() for match in words.finditer(text)]


def is_latin(text: str) -> bool:
    """Whether ``text`` has only Latin letters and punctuation."""
    return text.isascii() or not OTHER.search(text)


def lower_words(text: str, spans: Iterable[Span]) -> list[str]:
    """The words at ``spans`` of ``text``, in lower case."""
    lowered = text.lower()
    if len(lowered) == len(text) and "Σ" not in text:
        # Each character has its own lower case, so all at once is the same.
        return [lowered[start:end] for start, end in spans]
    return [text[start:end].lower() for start, end in spans]


def prose_word_spans(text: str, lines: Iterable[Span] | None = None) -> list[Span]:
    """Words of ``text`` as people count them, in order: without markup and list markers.

    ``1,000`` and ``U.S.`` are one word each. ``lines`` are its ``paragraph_spans``, if known.
    """
    starts = (start for start, _ in (paragraph_spans(text) if lines is None else lines))
    skipped = [match for start in starts if (match := LIST_MARKER.match(text, start))]
    if "<" in text or "&" in text:
        skipped.extend(MARKUP.finditer(text))
    words = joined_words(text, word_spans(text))
    kept, place = [], 0
    for start, end in sorted(match.span() for match in skipped):
        kept += words[place : bisect.bisect_left(words, (start,), place)]
        place = bisect.bisect_left(words, (end,), place)
    return [*kept, *words[place:]] if skipped else words


def joined_words(text: str, words: list[Span]) -> list[Span]:
    """The ``words`` of ``text``, with the parts of a number or of an abbreviation as one word."""
    kept: list[Span] = []
    place = 0
    for match in JOINT.finditer(text):
        after = bisect.bisect_left(words, (match.end(),), place)
        # The word before can itself be joined: `1,000,000`.
        start = kept.pop()[0] if after == place else words[after - 1][0]
        kept += words[place : after - 1]
        end = words[after][1]
        # `U.S.` ends with a full stop.
        kept.append((start, end + (match["stop"] is not None and text.startswith(".", end))))
        place = after + 1
    return [*kept, *words[place:]] if kept else words


def paragraph_spans(text: str) -> Iterator[Span]:
    """Non-empty lines of ``text``, without surrounding white space."""
    for match in LINE.finditer(text):
        span = trimmed(text, *match.span())
        if span:
            yield span


def sentence_spans(text: str, language: str) -> Iterator[Span]:
    """Sentences of ``text``, and headings and other text between them as if they were some.

    They never cross the end of a paragraph. ``language`` is an ISO 639-1 code; ``sentencex`` uses
    English rules for unknown languages.
    """
    return sentences_in(text, paragraph_spans(text), language)


def sentences_in(text: str, paragraphs: Iterable[Span], language: str) -> Iterator[Span]:
    """The ``sentence_spans`` in some paragraphs of ``text``."""
    for paragraph_start, paragraph_end in paragraphs:
        for start, end in divided(text[paragraph_start:paragraph_end], language):
            span = trimmed(text, paragraph_start + start, paragraph_start + end)
            if span:
                yield span


def proper_sentence_spans(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Those of the ``sentence_spans`` of ``text`` that are finished and have two words or more.

    Without the markers of lists. Headings, markers, unfinished sentences, and the ends of sentences
    that are divided into lines are left out.
    """
    for start, end in spans:
        if text[start].islower() and begins_line(text, start):
            continue
        if is_finished(text, start, end) and TWO_WORDS.search(text, start, end):
            # Most sentences begin with a word, of which two characters tell.
            if not (text[start].isalpha() and text[start + 1].islower()):
                marker = MARKER.match(text, start, end)
                start = marker.end() if marker else start
            yield start, end


def proper_paragraph_spans(paragraphs: Iterable[Span], sentences: Sequence[Span]) -> Iterator[Span]:
    """Paragraphs of a text, from the first to the last of their proper ``sentences``."""
    place = 0
    for _, end in paragraphs:
        first = place
        while place < len(sentences) and sentences[place][1] <= end:
            place += 1
        if place > first:
            yield sentences[first][0], sentences[place - 1][1]


def begins_line(text: str, place: int) -> bool:
    """Whether nothing but white space is before ``place`` in its line."""
    while place and text[place - 1].isspace():
        place -= 1
        if LINE.match(text[place]) is None:
            return True
    return place == 0


def is_finished(text: str, start: int, end: int) -> bool:
    """Whether the text from ``start`` to ``end`` ends with a finished sentence."""
    if text[end - 1] == ".":
        return not ends_with_title(text, start, end)
    return text[end - 1] in "!?" or bool(SENTENCE_END.search(text, max(start, end - 20), end))


def ends_with_title(text: str, start: int, end: int) -> bool:
    """Whether the text from ``start`` to ``end`` ends with an abbreviation before a name."""
    return bool(TITLE_END.search(text[max(start, end - TITLE_LENGTH) : end]))


def divided(paragraph: str, language: str) -> Iterator[Span]:
    """Sentences of one paragraph, with the white space between them.

    A marker or an abbreviation belongs to the sentence that follows it. A quotation of several
    sentences is as many.
    """
    if paragraph.isascii() and not STOP.search(paragraph):
        yield 0, len(paragraph)
        return
    has_quotes = QUOTE.search(paragraph) is not None
    first = None
    for start, end in boundaries(paragraph, language):
        first = start if first is None else first
        if end < len(paragraph) and is_continued(paragraph, start, end):
            continue
        if has_quotes:
            yield from quoted_sentences(paragraph, first, end, language)
        else:
            yield first, end
        first = None


def is_continued(paragraph: str, start: int, end: int) -> bool:
    """Whether the sentence from ``start`` to ``end`` of a paragraph goes on after it."""
    if not (paragraph[start].isalpha() or LETTER.search(paragraph, start, end)):
        return True
    following = paragraph[end : end + 9].lstrip()[:1]
    while end > start and paragraph[end - 1].isspace():
        end -= 1
    if paragraph[end - 1] != ".":
        return False
    return (
        ends_with_title(paragraph, start, end)
        or (following.islower() and bool(NAME_END.search(paragraph[max(start, end - 30) : end])))
        or (following.isdigit() and bool(NUMBERED_END.search(paragraph[max(start, end - 9) : end])))
    )


def quoted_sentences(paragraph: str, start: int, end: int, language: str) -> Iterator[Span]:
    """The sentence from ``start`` to ``end`` of a paragraph, divided inside of its quotations.

    ``sentencex`` divides no quotation; without its marks, it does.
    """
    if INNER_END.search(paragraph, start, end) and QUOTE.search(paragraph, start, end):
        quoting, n_quotes, before, last = paragraph[start:end], 0, 0, end - start
        for _, inner in boundaries(QUOTE.sub(" ", quoting), language):
            n_quotes += len(QUOTE.findall(quoting, before, inner))
            if n_quotes % 2 and inner < last and not is_continued(quoting, before, inner):
                yield start, end - last + inner
                start = end - last + inner
            before = inner
    yield start, end


def boundaries(paragraph: str, language: str) -> Iterable[Span]:
    """Sentences of one paragraph as ``sentencex`` finds them, in linear time."""
    if len(paragraph) <= PART_LENGTH or paragraph.isascii():
        return sentences_of(paragraph, language)
    return boundaries_of_parts(paragraph, language)


def boundaries_of_parts(paragraph: str, language: str) -> Iterator[Span]:
    """The same, of a paragraph that is read in parts."""
    start = 0
    while len(paragraph) - start > PART_LENGTH:
        part = sentences_of(paragraph[start : start + PART_LENGTH], language)
        # The last sentence continues in the next part, unless it fills this one.
        for span in part[:-1] or [(0, PART_LENGTH)]:
            yield start + span[0], start + span[1]
        start += part[-1][0] if len(part) > 1 else PART_LENGTH
    for span in sentences_of(paragraph[start:], language):
        yield start + span[0], start + span[1]


def sentences_of(paragraph: str, language: str) -> list[Span]:
    """The same, in quadratic time."""
    found = sentencex.get_sentence_boundaries(language, paragraph)
    return [(boundary["start_index"], boundary["end_index"]) for boundary in found]


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without surrounding white space; None if there is nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def token_spans(texts: Sequence[str], tokenizer: str, files: str) -> list[list[Span]]:
    """Spans of the tokens of each text, with special tokens as plain text.

    A code point that is spread over several tokens is in the span of each of them.
    """
    # encode_batch_fast is faster, but gives no offsets.
    encodings = load_tokenizer(tokenizer, files).encode_batch(list(texts), add_special_tokens=False)
    return [encoding.offsets for encoding in encodings]


@functools.cache
def tokenizer_folder(tokenizer: str, files: str) -> Path:
    """The folder of the tokenizer's ``tokenizer.json``.

    ``files`` is ``hub`` (download ``tokenizer`` from the Hugging Face Hub), the name of an
    installed package with the files, or a folder.
    """
    if files == "hub":
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(tokenizer, "tokenizer.json")).parent
    found = importlib.util.find_spec(files) if files.isidentifier() else None
    root = Path(found.origin).parent if found and found.origin else Path(files)
    for path in sorted(root.glob("**/tokenizer.json")):
        return path.parent
    raise FileNotFoundError(
        f"no tokenizer.json below {root}: set the dbt var tokenizer_files to `hub`, "
        "to a folder, or to an installed package that ships the files"
    )


@functools.cache
def load_tokenizer(tokenizer: str, files: str) -> Tokenizer:
    """The ``tokenizers.Tokenizer``, loaded once per process."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer_folder(tokenizer, files) / "tokenizer.json"))
    # A special token spelled out in external text must stay text.
    loaded.encode_special_tokens = True
    return loaded


@functools.cache
def tokenizer_version(tokenizer: str, files: str) -> str:
    """``NAME@HASH`` with the first 16 hex digits of the SHA-256 of ``tokenizer.json``."""
    path = tokenizer_folder(tokenizer, files) / "tokenizer.json"
    return f"{tokenizer}@{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
