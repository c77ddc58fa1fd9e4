"""A source model's tokenizer: the ids it is fed, and the text of the ids it samples."""

from __future__ import annotations

import re
from pathlib import Path

from latent_probes.common import files

# No text may hold these: NUL, and half of a character.
NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
# What an incomplete character is decoded to, and how many of its tokens there may be.
MOST_INCOMPLETE = 3
INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


class TokenizerError(Exception):
    """A tokenizer that is not there or cannot be used; the message says which."""


def load(model: str, revision: str | None):
    """The tokenizer of a model: a name on the Hub, a folder, or a GGUF file.

    Raises TokenizerError.
    """
    from transformers import AutoTokenizer

    try:
        # Text from outside that spells a special token is text.
        return AutoTokenizer.from_pretrained(
            **place(model), revision=revision, split_special_tokens=True
        )
    except (OSError, ValueError, ImportError) as error:
        raise TokenizerError(
            f"no tokenizer of {model!r} can be loaded ({first_line(error)}); check the name or path"
        ) from error


def place(model: str) -> dict[str, str]:
    """Where transformers finds a model."""
    path = Path(model)
    if path.suffix == ".gguf":
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    return {"pretrained_model_name_or_path": model}


def version(tokenizer, model: str, revision: str | None) -> str:
    """``NAME@HASH``: the first 16 hex digits of the SHA-256 of the tokenizer's file."""
    from transformers.utils import cached_file

    path = Path(model)
    if path.suffix != ".gguf":
        found = cached_file(
            model, "tokenizer.json", revision=revision, _raise_exceptions_for_missing_entries=False
        )
        # One that was never saved as one file is known by what it would be saved as.
        path = Path(found) if found else None
    if path is None:
        import hashlib

        digest = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    else:
        digest = files.hash_of(path)
    return f"{short_name(model)}@{digest[:16]}"


def short_name(model: str) -> str:
    """A model's name: that on the Hub, else that of its folder or file, without the path to it."""
    path = Path(model)
    if path.suffix == ".gguf":
        return path.stem
    return path.resolve().name if path.is_dir() else model


def encode(tokenizer, text: str) -> list[int]:
    """The ids a model is fed: those of ``text``, after what its tokenizer puts before any text."""
    ids = list(tokenizer(text, add_special_tokens=True)["input_ids"])
    special = set(tokenizer.all_special_ids)
    # Some put an end behind every text, and nothing follows an end.
    while ids and ids[-1] in special:
        ids.pop()
    return ids


def following(tokenizer, text: str) -> list[int]:
    """The ids of ``text`` where other text stands before it, which is white space's usual place.

    At its beginning some tokenizers would put a space before it, or take one away.
    """
    found = tokenizer("a" + text, add_special_tokens=False, return_offsets_mapping=True)
    spans = found["offset_mapping"]
    if any(start < 1 < end for start, end in spans):
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    pairs = zip(found["input_ids"], spans, strict=True)
    return [token for token, (start, _) in pairs if start >= 1]


def continuation(tokenizer, prefix_ids: list[int], ids: list[int]) -> str:
    """The text that ``ids`` add to that of ``prefix_ids``, without special tokens.

    A model may be stopped between the bytes of a character: an incomplete end is left out. Raises
    TokenizerError if the text of the prefix changes with what follows.
    """
    special = set(tokenizer.all_special_ids)
    kept = [token for token in ids if token not in special]
    text = added(tokenizer, prefix_ids, kept)
    if not text.endswith(INCOMPLETE):
        return mended(text)
    # Where bytes are tokens, one byte too many makes all the bytes before it unreadable.
    return max(
        (
            mended(added(tokenizer, prefix_ids, kept[: len(kept) - n_dropped]))
            for n_dropped in range(min(MOST_INCOMPLETE, len(kept)) + 1)
        ),
        key=len,
    )


def added(tokenizer, prefix_ids: list[int], ids: list[int]) -> str:
    """What ``ids`` add, decoded behind a prefix: the first token of a text may lose its space."""
    # The second is for a prefix that ends with a character in bytes, and bytes that are none.
    for before in (prefix_ids, tokenizer("a", add_special_tokens=False)["input_ids"]):
        prefix, whole = decode(tokenizer, before), decode(tokenizer, [*before, *ids])
        if whole.startswith(prefix):
            return whole[len(prefix) :]
    raise TokenizerError(
        f"the tokenizer of {tokenizer.name_or_path!r} decodes a prefix otherwise once more tokens "
        "follow, so its continuations have no text; sample from another model"
    )


def decode(tokenizer, ids: list[int]) -> str:
    """The text of ids, as it is: no space is taken away before a full stop."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def mended(text: str) -> str:
    """``text`` up to the first character that no text may hold, and without an incomplete end."""
    found = NO_TEXT.search(text)
    return (text[: found.start()] if found else text).rstrip(INCOMPLETE)


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
