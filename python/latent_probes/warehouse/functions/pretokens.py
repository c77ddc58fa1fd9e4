"""Token spans from the pieces that a tokenizer divides a text into before anything else.

A piece, such as a word with the space before it, is encoded alone, so its tokens are the same
wherever it occurs. Looking pieces up takes a third of the time of encoding texts.
"""

from __future__ import annotations

import functools
import json
import re
import threading
import unicodedata
from collections.abc import Sequence
from itertools import chain, compress
from typing import TYPE_CHECKING

import numpy

from latent_probes.warehouse.functions import units

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# How tokenizers of Qwen divide a text.
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The same in a text that is `units.is_latin`, where it takes half the time.
LETTER, NUMBER = "A-Za-zªµºÀ-ÖØ-öø-ɏ", "0-9²³¹¼-¾"
LATIN = re.compile(
    rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n{LETTER}{NUMBER}]?[{LETTER}]+|[{NUMBER}]"
    rf"| ?[^\s{LETTER}{NUMBER}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Engines of regular expressions read these differently.
ODD = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9fſ]")
# Pieces that are kept; there are about as many in 100 MB of text.
MOST_PIECES = 500_000


class Pieces:
    """The pieces that occurred so far, and their tokens."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.lock = threading.Lock()
        content = json.loads(tokenizer.to_str())
        added = {token["content"][:1] for token in content["added_tokens"]}
        self.is_divided = is_divided(content)
        self.added = re.compile("|".join(map(re.escape, added)) or "(?!)")
        self.forget()

    def forget(self) -> None:
        """Start without pieces."""
        self.number: dict[str, int] = {}
        self.sizes = numpy.zeros(0, numpy.int64)
        self.counts = numpy.zeros(0, numpy.int64)
        self.spans = numpy.zeros((0, 2), numpy.int32)

    def can_read(self, text: str) -> bool:
        """Whether the tokens of ``text`` are those of its pieces."""
        return (
            self.is_divided
            and units.is_latin(text)
            and not ODD.search(text)
            and not self.added.search(text)
            and unicodedata.is_normalized("NFC", text)
        )

    def token_spans(self, texts: Sequence[str]) -> list[numpy.ndarray]:
        """Spans of the tokens of each text, of shape (tokens, 2). ``can_read`` holds for all."""
        with self.lock:
            return self.looked_up(texts)

    def looked_up(self, texts: Sequence[str]) -> list[numpy.ndarray]:
        """The same, in one thread at a time."""
        if len(self.number) > MOST_PIECES:
            self.forget()
        divided = [LATIN.findall(text) for text in texts]
        pieces = [*chain.from_iterable(divided)]
        numbers = [*map(self.number.get, pieces)]
        if None in numbers:
            self.learn([piece for piece in dict.fromkeys(pieces) if piece not in self.number])
            numbers = [*map(self.number.get, pieces)]
        number = numpy.array(numbers, numpy.int64)
        sizes, counts = self.sizes[number], self.counts[number]
        per_text = numpy.array([len(own) for own in divided], numpy.int64)
        # Where a piece begins in its text.
        ends = numpy.cumsum(sizes)
        text_starts = numpy.cumsum([0, *(len(text) for text in texts)])[:-1]
        starts = ends - sizes - numpy.repeat(text_starts, per_text)
        firsts = (numpy.cumsum(self.counts) - self.counts)[number]
        before = numpy.cumsum(counts) - counts
        places = numpy.arange(counts.sum()) + numpy.repeat(firsts - before, counts)
        spans = self.spans[places] + numpy.repeat(starts, counts).astype(numpy.int32)[:, None]
        borders = numpy.cumsum(
            numpy.bincount(
                numpy.repeat(numpy.arange(len(texts)), per_text), counts, minlength=len(texts)
            ).astype(numpy.int64)
        )
        return numpy.split(spans, borders[:-1]) if len(texts) else []

    def learn(self, pieces: list[str]) -> None:
        """Encode pieces that have not occurred."""
        if not pieces:
            return
        found = [
            encoding.offsets
            for encoding in self.tokenizer.encode_batch(pieces, add_special_tokens=False)
        ]
        self.number.update(
            zip(pieces, range(len(self.number), len(self.number) + len(pieces)), strict=True)
        )
        self.sizes = numpy.concatenate([self.sizes, [len(piece) for piece in pieces]])
        self.counts = numpy.concatenate([self.counts, [len(spans) for spans in found]])
        flat = numpy.array([span for spans in found for span in spans], numpy.int32)
        self.spans = numpy.concatenate([self.spans, flat.reshape(-1, 2)])


@functools.cache
def pieces_of(tokenizer: str, files: str) -> Pieces:
    """The pieces of a tokenizer, kept for the life of the process."""
    return Pieces(units.load_tokenizer(tokenizer, files))


def token_spans(texts: Sequence[str], tokenizer: str, files: str) -> list[numpy.ndarray]:
    """The same as ``units.token_spans``, as arrays of shape (tokens, 2)."""
    pieces = pieces_of(tokenizer, files)
    can_read = [pieces.can_read(text) for text in texts]
    known = iter(pieces.token_spans([*compress(texts, can_read)]))
    others = [text for text, is_read in zip(texts, can_read, strict=True) if not is_read]
    encoded = iter(units.token_spans(others, tokenizer, files))
    return [
        next(known) if is_read else numpy.array(next(encoded), numpy.int32).reshape(-1, 2)
        for is_read in can_read
    ]


def is_divided(content: dict) -> bool:
    """Whether the tokenizer with this ``tokenizer.json`` reads pieces of ``QWEN`` one by one."""
    if content["normalizer"] not in (None, {"type": "NFC"}) or content["model"]["type"] != "BPE":
        return False
    steps = (content["pre_tokenizer"] or {}).get("pretokenizers", [])
    return (
        len(steps) == 2
        and steps[0].get("pattern") == {"Regex": QWEN}
        and (steps[0]["behavior"], steps[0]["invert"]) == ("Isolated", False)
        and steps[1]["type"] == "ByteLevel"
        and not steps[1]["add_prefix_space"]
        and not steps[1]["use_regex"]
        and not content["model"].get("dropout")
    )
