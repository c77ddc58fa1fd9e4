"""Damaged JSON as columns: mended to a valid object, or with its escapes decoded."""

from __future__ import annotations

import json

import pyarrow
import regex

# json-repair often takes a quote inside of a text for its end. The end of a text is better known by
# the key that follows, or the end of all.
KEY = r'"\w+"\s*:\s*(?=["\[{]|null)'
VALUE = regex.compile(rf'(?s)({KEY}\[?\s*")((?:(?!{KEY}).)*?)("[\s\]}},]*(?={KEY}|$))')
INNER_QUOTE = regex.compile(r'(?s)\\.(*SKIP)(*FAIL)|"')
ESCAPE = regex.compile(r"(?s)\\(?:u([0-9a-fA-F]{4})|(.))")
ESCAPED = dict(zip("\"\\/'bfnrt", "\"\\/'\b\f\n\r\t", strict=True))


def repair_json(texts: pyarrow.ChunkedArray):
    """Each text mended to a valid JSON object; null where none could be made of it."""
    return pyarrow.array([repaired(text) for text in texts.to_pylist()], pyarrow.string())


def repaired(text: str | None) -> str | None:
    """The text mended to a valid JSON object, or None."""
    import json_repair

    if text is None:
        return None
    try:
        value = json_repair.loads(VALUE.sub(with_escaped_quotes, text))
        # Text with braces around the answer makes it one of several values.
        if isinstance(value, list):
            value = next((part for part in value if isinstance(part, dict)), None)
        if not isinstance(value, dict):
            return None
        mended = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Nested too deeply, or NaN.
    except (RecursionError, ValueError):
        return None
    # json-repair reads an escaped pair as two surrogates; a lone one is no character.
    return mended.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def with_escaped_quotes(value: regex.Match) -> str:
    """A field whose inner quotes are escaped, those that were already left as they are."""
    return value[1] + INNER_QUOTE.sub(r'\\"', value[2]) + value[3]


def unescaped(texts: pyarrow.ChunkedArray):
    """Each text with its JSON escapes decoded, whether or not it is valid JSON."""

    def character(escape: regex.Match) -> str:
        return chr(int(escape[1], 16)) if escape[1] else ESCAPED.get(escape[2], escape[0])

    def decoded(text: str) -> str:
        # Half of a pair is left out, unlike in a mended text, so that the two differ.
        return (
            ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
        )

    return pyarrow.array([text and decoded(text) for text in texts.to_pylist()], pyarrow.string())


# What SQL calls each function, its parameters and its result.
FUNCTIONS = (
    ("repair_json", repair_json, ["VARCHAR"], "VARCHAR"),
    ("unescaped", unescaped, ["VARCHAR"], "VARCHAR"),
)
