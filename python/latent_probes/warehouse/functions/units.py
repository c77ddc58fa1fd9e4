"""The units of a text, each as spans of code points: words, sentences, paragraphs, tokens.

Pure functions on strings. A span is a pair ``(starts_at, ends_at)`` with
``text[starts_at:ends_at]`` the unit; spans are in order, never empty, and hold no white
space at their ends.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import regex
import sentencex

Span = tuple[int, int]

# Letters and digits with their marks; an apostrophe or hyphen inside belongs to the word.
WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:['’\-‐][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*")
# Web text holds no blank lines, so a paragraph is a line.
LINE = regex.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")

METHOD = f"words 1, sentencex {importlib.metadata.version('sentencex')}"


def word_spans(text: str) -> Iterator[Span]:
    """Words of ``text``, in order."""
    return (match.span() for match in WORD.finditer(text))


def paragraph_spans(text: str) -> Iterator[Span]:
    """Non-empty lines of ``text``, without the white space around them."""
    for match in LINE.finditer(text):
        span = trimmed(text, *match.span())
        if span:
            yield span


def sentence_spans(text: str, language: str) -> Iterator[Span]:
    """Sentences of ``text``, never reaching over a paragraph's end.

    ``language`` is an ISO 639-1 code; ``sentencex`` falls back to English rules for
    languages that it does not know.
    """
    for paragraph_start, paragraph_end in paragraph_spans(text):
        paragraph = text[paragraph_start:paragraph_end]
        for boundary in sentencex.get_sentence_boundaries(language, paragraph):
            span = trimmed(
                text,
                paragraph_start + boundary["start_index"],
                paragraph_start + boundary["end_index"],
            )
            if span:
                yield span


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without white space at its ends; None if nothing else is in it."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    return (start, end) if start < end else None


def token_spans(texts: Sequence[str], tokenizer: str, files: str) -> list[list[Span]]:
    """Spans of the tokens of each text, special tokens taken as plain text.

    A code point that is spread over several tokens is in the span of each of them.
    """
    # encode_batch_fast would be quicker, but it leaves the offsets out.
    encodings = load_tokenizer(tokenizer, files).encode_batch(list(texts), add_special_tokens=False)
    return [encoding.offsets for encoding in encodings]


@functools.cache
def tokenizer_folder(tokenizer: str, files: str) -> Path:
    """Where the tokenizer's ``tokenizer.json`` lies.

    ``files`` is ``hub`` (fetch ``tokenizer`` from the Hugging Face Hub), the name of an
    installed package that ships the files, or a folder.
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
def load_tokenizer(tokenizer: str, files: str):
    """The ``tokenizers.Tokenizer``, loaded once a process."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer_folder(tokenizer, files) / "tokenizer.json"))
    # Web text that spells a special token is text.
    loaded.encode_special_tokens = True
    return loaded


@functools.cache
def tokenizer_version(tokenizer: str, files: str) -> str:
    """``NAME@HASH`` with the first 16 hex digits of the SHA-256 of ``tokenizer.json``."""
    path = tokenizer_folder(tokenizer, files) / "tokenizer.json"
    return f"{tokenizer}@{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
