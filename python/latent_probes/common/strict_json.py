"""JSON from outside: whatever is stored was first read by these functions, as it is stored."""

from __future__ import annotations

import json


def text_of(content: bytes) -> str:
    """The text of JSON in UTF-8, UTF-16 or UTF-32, without a byte order mark.

    Raises ValueError if it is not valid in its encoding.
    """
    return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")


def read(text: str) -> object:
    """Parse JSON. Raises ValueError for every text that cannot be read.

    Lone surrogates are accepted, as escapes: they are no reason to pay for another answer.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
