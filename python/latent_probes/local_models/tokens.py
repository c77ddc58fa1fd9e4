"""The tokens of a document as model input, and the spans of text that they cover.

Spans are ``[start, end)`` in code points of the document's text. A code point that is spread over
several tokens is in the span of each of them. A token without text, such as BOS, has an empty
span.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latent_probes.sampling import tokenizing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# How tokenizers with byte fallback write a single byte.
SINGLE_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Tokens:
    """Input ids, with one span each. ``source`` is ``sampled`` or ``text``."""

    ids: list[int]
    spans: list[tuple[int, int]]
    source: str

    def last_before(self, split: int, n_tokens: int) -> list[int]:
        """Positions of the last ``n_tokens`` with text that end at or before ``split``, ascending.

        Fewer if there are not that many.
        """
        # Ends are ascending: search backwards from the first token that ends later.
        found: list[int] = []
        for place in range(self.first_after(split) - 1, -1, -1):
            if len(found) == n_tokens:
                break
            start, end = self.spans[place]
            if start < end:
                found.append(place)
        return found[::-1]

    def first_after(self, split: int) -> int:
        """Position of the first token that ends after ``split``."""
        return next(
            (place for place, (_, end) in enumerate(self.spans) if end > split), len(self.spans)
        )

    def is_inside(self, split: int) -> bool:
        """Whether ``split`` is inside a token, not between two."""
        place = self.first_after(split)
        return place < len(self.spans) and self.spans[place][0] < split

    def n_touching(self, start: int, end: int) -> int:
        """Number of tokens that overlap the text from ``start`` to ``end``."""
        return sum(max(span[0], start) < min(span[1], end) for span in self.spans)


def of_text(tokenizer: PreTrainedTokenizerBase, text: str) -> Tokens:
    """The tokens of a full text, including the tokenizer's leading special tokens."""
    ids = tokenizing.encode(tokenizer, text)
    found = tokenizer(text, add_special_tokens=True, return_offsets_mapping=True)
    # Trailing special tokens are dropped, as for sampling.
    return Tokens(ids, [tuple(span) for span in found["offset_mapping"][: len(ids)]], "text")


def before_text(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of the tokenizer's leading special tokens: BOS, or none."""
    found = of_text(tokenizer, "a")
    return [
        token for token, (start, end) in zip(found.ids, found.spans, strict=True) if start == end
    ]


def of_sample(
    tokenizer: PreTrainedTokenizerBase,
    prefix: str,
    text: str,
    prefix_ids: list[int],
    continuation_ids: list[int],
) -> Tokens | None:
    """The prompt and sampled tokens, up to the end of ``text``, which begins with ``prefix``.

    None if this tokenizer does not map them to the text, so they came from another tokenizer.
    """
    before = of_text(tokenizer, prefix)
    if before.ids != list(prefix_ids):
        return None
    pieces = bytes_of(tokenizer, continuation_ids)
    ends = list(itertools.accumulate(map(len, pieces)))
    wanted = text[len(prefix) :].encode()
    # The continuation may have been truncated, possibly inside a token.
    n_kept = sum(end <= len(wanted) for end in ends)
    if b"".join(pieces)[: len(wanted)] != wanted:
        return None
    # Number of code points that start before each byte.
    begun = [0, *itertools.accumulate(byte & 0xC0 != 0x80 for byte in wanted)]
    spans = [
        (
            len(prefix) + (begun[start + 1] - 1 if start < end else begun[start]),
            len(prefix) + begun[end],
        )
        for start, end in itertools.pairwise([0, *ends[:n_kept]])
    ]
    return Tokens([*prefix_ids, *continuation_ids[:n_kept]], [*before.spans, *spans], "sampled")


def bytes_of(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[bytes]:
    """The bytes of each token; empty for special tokens."""
    special = set(tokenizer.all_special_ids)
    added = tokenizer.added_tokens_decoder
    written = '"ByteLevel"' in json.dumps(decoder_of(tokenizer))
    pieces = []
    for token, piece in zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True):
        if token in special:
            pieces.append(b"")
        elif token in added:
            pieces.append(added[token].content.encode())
        elif written:
            pieces.append(bytes(byte_letters()[letter] for letter in piece))
        elif found := SINGLE_BYTE.fullmatch(piece):
            pieces.append(bytes([int(found[1], 16)]))
        else:
            pieces.append(piece.replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode())
    return pieces


def decoder_of(tokenizer: PreTrainedTokenizerBase) -> dict | None:
    """The decoder in the tokenizer's configuration."""
    return json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder")


@functools.cache
def byte_letters() -> dict[str, int]:
    """The letters that byte-level tokenizers use for bytes (Radford et al., GPT-2, 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + place): byte for place, byte in enumerate(rest)
    }
