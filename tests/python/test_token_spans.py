"""The spans of a document's tokens, and the tokens that end before a split."""

from __future__ import annotations

import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from test_tokenizing import BOTH, TEXTS

from latent_probes.local_models import tokens
from latent_probes.local_models.tokens import Tokens
from latent_probes.sampling import tokenizing

NON_ASCII = "Æsop: 乌鸦, e\u0301tude 🧀🧀 naïve — «fin» \n\n ที่นี่ 👩‍👩‍👧"
TINY = tiny_models.tokenizer_of(tiny_models.TEXTS)


def covers(found: Tokens, tokenizer, text: str) -> bool:
    """Whether each token's bytes lie in its span, and all bytes together are the text."""
    pieces = tokens.bytes_of(tokenizer, found.ids)
    borders = [0, *(end for _, end in found.spans)]
    return (
        b"".join(pieces).removeprefix(b" " if text[:1] != " " else b"") == text.encode()
        and borders == sorted(borders)
        and all(
            piece.strip(b" ") in text[start:end].encode()
            for piece, (start, end) in zip(pieces, found.spans, strict=True)
        )
    )


def test_spans_of_a_whole_text_are_exact():
    found = tokens.of_text(TINY, NON_ASCII)
    assert found.source == "text"
    assert covers(found, TINY, NON_ASCII)
    # A cheese has four bytes and no token of its own: each of its tokens holds all of it.
    place = NON_ASCII.index("🧀")
    assert found.n_touching(place, place + 1) > 1
    assert {span for span in found.spans if span[0] == place} == {(place, place + 1)}


@pytest.mark.parametrize("tokenizer", [TINY, *BOTH], ids=["merges", "bytes", "sentencepiece"])
@pytest.mark.parametrize("border", range(1, len(NON_ASCII)))
def test_spans_of_sampled_tokens_are_those_of_the_text(tokenizer, border):
    prefix, continuation = NON_ASCII[:border], NON_ASCII[border:]
    prefix_ids = tokenizing.encode(tokenizer, prefix)
    ids = tokenizing.following(tokenizer, continuation)
    found = tokens.of_sample(tokenizer, prefix, NON_ASCII, prefix_ids, ids)
    assert found.source == "sampled"
    assert found.ids == [*prefix_ids, *ids]
    assert covers(found, tokenizer, NON_ASCII)
    for place in range(len(prefix_ids), len(found.ids)):
        text = tokenizing.decode(tokenizer, found.ids[: place + 1])
        if not text.endswith(tokenizing.INCOMPLETE):
            assert len(text) == found.spans[place][1]


@given(st.data())
def test_whatever_was_sampled_its_tokens_are_found_or_refused(data):
    tokenizer = data.draw(st.sampled_from(BOTH))
    prefix = data.draw(TEXTS)
    n_tokens = len(tokenizer)
    ids = data.draw(st.lists(st.integers(0, n_tokens - 1), min_size=1, max_size=12))
    prefix_ids = tokenizing.encode(tokenizer, prefix)
    text = prefix + tokenizing.continuation(tokenizer, prefix_ids, ids)
    kept = text[: data.draw(st.integers(len(prefix), len(text)))]
    found = tokens.of_sample(tokenizer, prefix, kept, prefix_ids, ids)
    if found is None:
        # Bytes that are no text were written as what stands for them.
        assert tokenizing.INCOMPLETE in kept
        return
    assert found.ids == [*prefix_ids, *ids][: len(found.ids)]
    assert all(end <= len(kept) for _, end in found.spans)
    pieces = tokens.bytes_of(tokenizer, found.ids[len(prefix_ids) :])
    assert kept[len(prefix) :].encode().startswith(b"".join(pieces))


def test_tokens_of_another_tokenizer_are_refused():
    prefix, text = "The first page", "The first page is about rivers"
    ids = tokenizing.encode(BOTH[0], prefix)
    assert tokens.of_sample(TINY, prefix, text, ids, [5, 6]) is None
    own = tokenizing.encode(TINY, prefix)
    assert tokens.of_sample(TINY, prefix, text, own, tokenizing.following(TINY, " is it")) is None
    assert tokens.of_sample(TINY, prefix, text, own, tokenizing.following(TINY, text[14:]))


def test_what_was_cut_off_a_continuation_has_no_tokens():
    prefix, whole = "The first page", " is about rivers. Buy now!"
    ids = tokenizing.following(TINY, whole)
    found = tokens.of_sample(
        TINY, prefix, prefix + whole[:16], tokenizing.encode(TINY, prefix), ids
    )
    assert found.spans[-1][1] <= len(prefix) + 16
    assert len(found.ids) < len(ids) + 6


def test_a_special_token_stands_for_no_text_and_is_not_kept():
    found = Tokens([0, 7, 8, 0, 9], [(0, 0), (0, 3), (3, 6), (6, 6), (6, 9)], "sampled")
    assert found.last_before(6, 1) == [2]
    assert found.last_before(6, 5) == [1, 2]
    assert found.last_before(9, 2) == [2, 4]


@pytest.mark.parametrize(
    ("split", "last", "is_inside"),
    [(1, None, True), (2, 0, False), (3, 2, False), (4, 2, True), (5, 3, False), (9, 3, False)],
)
def test_a_token_ends_at_or_before_the_split(split, last, is_inside):
    # The second and the third hold a part each of one code point.
    found = Tokens([1, 2, 3, 4], [(0, 2), (2, 3), (2, 3), (3, 5)], "text")
    assert found.last_before(split, 1) == ([] if last is None else [last])
    assert found.is_inside(split) == is_inside


def test_half_of_a_code_point_does_not_end_before_it():
    found = tokens.of_text(BOTH[0], "a乌b")
    assert found.spans == [(0, 0), (0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert found.last_before(1, 1) == [1]
    assert found.last_before(2, 2) == [3, 4]


def test_tokens_before_any_text_are_known():
    assert tokens.before_text(TINY) == []
    assert tokens.before_text(BOTH[0]) == [BOTH[0].bos_token_id]
