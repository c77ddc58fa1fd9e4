"""The tokens of a document as a language model is fed them, and the code points they stand for.

Spans are ``[start, end)`` in code points of the document's text. A code point that is spread over
several tokens is in the span of each of them, so that a token ends where the last code point ends
of which it has a part. A token without text, as BOS, has an empty span.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from dataclasses import dataclass

from latent_probes.sampling import tokenizing

# How tokenizers that know no other way write a single byte.
SINGLE_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Tokens:
    """Ids as they are fed, with a span each. ``source`` is ``sampled`` or ``text``."""

    ids: list[int]
    spans: list[tuple[int, int]]
    source: str

    def last_before(self, split: int, n_tokens: int) -> list[int]:
        """The places of the last ``n_tokens`` with text that end at or before ``split``, in order.

        Fewer where there are not as many.
        """
        # Ends grow, so that the search goes back from the first token that ends later.
        found = []
        for place in range(self.first_after(split) - 1, -1, -1):
            if len(found) == n_tokens:
                break
            start, end = self.spans[place]
            if start < end:
                found.append(place)
        return found[::-1]

    def first_after(self, split: int) -> int:
        """The place of the first token that ends after ``split``."""
        return next(
            (place for place, (_, end) in enumerate(self.spans) if end > split), len(self.spans)
        )

    def is_inside(self, split: int) -> bool:
        """Whether ``split`` lies within a token, not between two."""
        place = self.first_after(split)
        return place < len(self.spans) and self.spans[place][0] < split

    def n_touching(self, start: int, end: int) -> int:
        """How many tokens stand for something of the text from ``start`` to ``end``."""
        return sum(max(span[0], start) < min(span[1], end) for span in self.spans)


def of_text(tokenizer, text: str) -> Tokens:
    """The tokens of a whole text, after what the tokenizer puts before any text."""
    ids = tokenizing.encode(tokenizer, text)
    found = tokenizer(text, add_special_tokens=True, return_offsets_mapping=True)
    # What stands behind a text is left out, as when it is sampled from.
    return Tokens(ids, [tuple(span) for span in found["offset_mapping"][: len(ids)]], "text")


def before_text(tokenizer) -> list[int]:
    """The ids that the tokenizer puts before any text: BOS, or none."""
    found = of_text(tokenizer, "a")
    return [
        token for token, (start, end) in zip(found.ids, found.spans, strict=True) if start == end
    ]


def of_sample(
    tokenizer, prefix: str, text: str, prefix_ids: list[int], continuation_ids: list[int]
) -> Tokens | None:
    """The tokens that were fed and sampled, up to the end of ``text``; it begins with ``prefix``.

    None if by this tokenizer they are not those of the text: then they were another's.
    """
    before = of_text(tokenizer, prefix)
    if before.ids != list(prefix_ids):
        return None
    pieces = bytes_of(tokenizer, continuation_ids)
    ends = list(itertools.accumulate(map(len, pieces)))
    wanted = text[len(prefix) :].encode()
    # Of the continuation only a beginning may have been kept, maybe up to within a token.
    n_kept = sum(end <= len(wanted) for end in ends)
    if b"".join(pieces)[: len(wanted)] != wanted:
        return None
    # How many code points have begun before each byte.
    begun = [0, *itertools.accumulate(byte & 0xC0 != 0x80 for byte in wanted)]
    spans = [
        (
            len(prefix) + (begun[start + 1] - 1 if start < end else begun[start]),
            len(prefix) + begun[end],
        )
        for start, end in itertools.pairwise([0, *ends[:n_kept]])
    ]
    return Tokens([*prefix_ids, *continuation_ids[:n_kept]], [*before.spans, *spans], "sampled")


def bytes_of(tokenizer, ids: list[int]) -> list[bytes]:
    """The bytes that each token stands for; none for special tokens."""
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


def decoder_of(tokenizer) -> dict | None:
    """How the tokenizer makes text of tokens."""
    return json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder")


@functools.cache
def byte_letters() -> dict[str, int]:
    """The letters with which byte-level tokenizers write bytes (Radford et al., GPT-2, 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + place): byte for place, byte in enumerate(rest)
    }
