"""The source model's tokenizer: ids of its input, and the text of sampled ids."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from latent_probes.common import files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Not allowed in a text: NUL and lone surrogates.
NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
# The decoding of an incomplete character, and the maximum number of its tokens.
MOST_INCOMPLETE = 3
INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


class TokenizerError(Exception):
    """A tokenizer that is missing or cannot be used; the message says which."""


def load(model: str, revision: str | None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model: a name on the Hub, a folder, or a GGUF file.

    Raises TokenizerError.
    """
    from transformers import AutoTokenizer

    refuse_missing(model)
    try:
        # A special token spelled out in external text must stay text.
        return AutoTokenizer.from_pretrained(
            **place(model), revision=revision, split_special_tokens=True
        )
    except (OSError, ValueError, ImportError) as error:
        raise TokenizerError(
            f"cannot load the tokenizer of {model!r} ({first_line(error)}); check the name or path"
        ) from error


def refuse_missing(model: str) -> None:
    """Raise TokenizerError for a folder or file that does not exist and cannot be on the Hub.

    So a mistyped path is not searched there.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    path = Path(model)
    if path.exists():
        return
    try:
        validate_repo_id(model)
        is_name = path.suffix != ".gguf"
    except HFValidationError:
        is_name = False
    if not is_name:
        what = "file" if path.suffix == ".gguf" else "folder, and no name on the Hub"
        raise TokenizerError(f"{model}: no such {what}; check the path")


def place(model: str) -> dict[str, str]:
    """Arguments with which transformers finds a model."""
    path = Path(model)
    if path.suffix == ".gguf":
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    return {"pretrained_model_name_or_path": model}


def version(tokenizer: PreTrainedTokenizerBase, model: str, revision: str | None) -> str:
    """``NAME@HASH``: the first 16 hex digits of the SHA-256 of the tokenizer's file."""
    from transformers.utils import cached_file

    path: Path | None = Path(model)
    if path is not None and path.suffix != ".gguf":
        found = cached_file(
            model, "tokenizer.json", revision=revision, _raise_exceptions_for_missing_entries=False
        )
        # A tokenizer that was not saved as one file is hashed in the form it would be saved in.
        path = Path(found) if found else None
    if path is None:
        import hashlib

        digest = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    else:
        digest = files.hash_of(path)
    return f"{short_name(model)}@{digest[:16]}"


def short_name(model: str) -> str:
    """A model's name: on the Hub, or of its folder or file without the path."""
    path = Path(model)
    if path.suffix == ".gguf":
        return path.stem
    return path.resolve().name if path.is_dir() else model


def bare_name(model: str) -> str:
    """A model's name without its owner on the Hub and without case, for comparison."""
    return model.rstrip("/").rpartition("/")[2].casefold()


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of ``text`` as model input, including the tokenizer's leading special tokens."""
    ids = list(tokenizer(text, add_special_tokens=True)["input_ids"])
    special = set(tokenizer.all_special_ids)
    # Some tokenizers append an end token, which nothing can follow.
    while ids and ids[-1] in special:
        ids.pop()
    return ids


def following(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of ``text`` as a continuation of other text.

    At the start of a text, some tokenizers would add or remove a space.
    """
    found = tokenizer("a" + text, add_special_tokens=False, return_offsets_mapping=True)
    spans = found["offset_mapping"]
    if any(start < 1 < end for start, end in spans):
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    pairs = zip(found["input_ids"], spans, strict=True)
    return [token for token, (start, _) in pairs if start >= 1]


def continuation(tokenizer: PreTrainedTokenizerBase, prefix_ids: list[int], ids: list[int]) -> str:
    """The text that ``ids`` add to the text of ``prefix_ids``, without special tokens.

    A model can be stopped between the bytes of a character: an incomplete end is dropped. Raises
    TokenizerError if the text of the prefix depends on the tokens that follow.
    """
    special = set(tokenizer.all_special_ids)
    kept = [token for token in ids if token not in special]
    text = added(tokenizer, prefix_ids, kept)
    if not text.endswith(INCOMPLETE):
        return mended(text)
    # With byte tokens, one byte too many makes all bytes before it undecodable.
    return max(
        (
            mended(added(tokenizer, prefix_ids, kept[: len(kept) - n_dropped]))
            for n_dropped in range(min(MOST_INCOMPLETE, len(kept)) + 1)
        ),
        key=len,
    )


def added(tokenizer: PreTrainedTokenizerBase, prefix_ids: list[int], ids: list[int]) -> str:
    """The text that ``ids`` add after a prefix: alone, the first token could lose its space."""
    # The second is for a prefix that ends in byte tokens, followed by invalid bytes.
    for before in (prefix_ids, tokenizer("a", add_special_tokens=False)["input_ids"]):
        prefix, whole = decode(tokenizer, before), decode(tokenizer, [*before, *ids])
        if whole.startswith(prefix):
            return whole[len(prefix) :]
    raise TokenizerError(
        f"the tokenizer of {tokenizer.name_or_path!r} decodes a prefix differently when more "
        "tokens follow, so continuations have no defined text; sample from another model"
    )


def decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """The text of ids, unchanged: no space is removed before punctuation."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def mended(text: str) -> str:
    """``text`` up to the first character that is not allowed, without an incomplete end."""
    found = NO_TEXT.search(text)
    return (text[: found.start()] if found else text).rstrip(INCOMPLETE)


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
