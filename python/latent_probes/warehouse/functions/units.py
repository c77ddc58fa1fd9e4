"""The units of a text as spans of code points: words, sentences, paragraphs, tokens.

Pure functions on strings. A span is a pair ``(starts_at, ends_at)`` such that
``text[starts_at:ends_at]`` is the unit; spans are in order, never empty, and have no leading
or trailing white space.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import regex
import sentencex

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Span = tuple[int, int]

# Letters and digits with their combining marks; inner apostrophes and hyphens belong to the word.
WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['’\-‐][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*")
# Tags such as `<em>` and entities such as `&nbsp;`.
MARKUP = regex.compile(
    r"""</?[a-z][a-z0-9]*(?:\s+[\w:-]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))?)*\s*/?>"""
    r"|&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});",
    regex.IGNORECASE,
)
# `4.`, `(b)` or `iv)`, if it begins a line.
LIST_MARKER = regex.compile(r"\(?(?:\p{N}{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)](?=\s)")
# Extracted web text has no blank lines, so a paragraph is a line.
LINE = regex.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
# sentencex takes quadratic time for a paragraph that is not ASCII. One that is longer than any
# eligible prefix or continuation is read in parts.
PART_LENGTH = 20_000

METHOD = f"words 2, sentencex {importlib.metadata.version('sentencex')}"


def word_spans(text: str) -> Iterator[Span]:
    """Words of ``text``, in order."""
    return (match.span() for match in WORD.finditer(text))


def prose_word_spans(text: str) -> Iterator[Span]:
    """Words of ``text`` without those of markup and of list markers, in order."""
    lines = (start for start, _ in paragraph_spans(text))
    skipped = [match for start in lines if (match := LIST_MARKER.match(text, start))]
    if "<" in text or "&" in text:
        skipped.extend(MARKUP.finditer(text))
    places = {place for match in skipped for place in range(*match.span())}
    return (span for span in word_spans(text) if span[0] not in places)


def paragraph_spans(text: str) -> Iterator[Span]:
    """Non-empty lines of ``text``, without surrounding white space."""
    for match in LINE.finditer(text):
        span = trimmed(text, *match.span())
        if span:
            yield span


def sentence_spans(text: str, language: str) -> Iterator[Span]:
    """Sentences of ``text``, which never cross the end of a paragraph.

    ``language`` is an ISO 639-1 code; ``sentencex`` uses English rules for unknown languages.
    """
    for paragraph_start, paragraph_end in paragraph_spans(text):
        for start, end in boundaries(text[paragraph_start:paragraph_end], language):
            span = trimmed(text, paragraph_start + start, paragraph_start + end)
            if span:
                yield span


def boundaries(paragraph: str, language: str) -> Iterator[Span]:
    """Sentences of one paragraph, with the white space between them."""
    start = 0
    while len(paragraph) - start > PART_LENGTH and not paragraph.isascii():
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
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
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
