"""Damaged JSON as columns: repaired to a valid object, or with its escapes decoded."""

from __future__ import annotations

import itertools
import json

import pyarrow
import regex

from latent_probes.common import limits

# json-repair often takes a quote inside a text for its end. The next key, or the end of the object,
# marks the end of a text more reliably.
KEY = r'"\w+"\s*:\s*(?=["\[{]|null)'
VALUE = regex.compile(rf'(?s)({KEY}\[?\s*")((?:(?!{KEY}).)*?)("[\s\]}},]*(?={KEY}|$))')
INNER_QUOTE = regex.compile(r'(?s)\\.(*SKIP)(*FAIL)|"')
BRACKET = regex.compile(r"[{}\[\]]")
ESCAPE = regex.compile(r"(?s)\\(?:u([0-9a-fA-F]{4})|(.))")
ESCAPED = dict(zip("\"\\/'bfnrt", "\"\\/'\b\f\n\r\t", strict=True))


def repair_json(texts: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Each text repaired to a valid JSON object; null if it cannot be repaired."""
    return pyarrow.array([repaired(text) for text in texts.to_pylist()], pyarrow.string())


def repaired(text: str | None) -> str | None:
    """Repair a text to a valid JSON object; None if that is impossible or would take too long."""
    import json_repair

    if text is None or takes_too_long(text):
        return None
    try:
        value = json_repair.loads(VALUE.sub(with_escaped_quotes, text))
        # Braces in the text around the answer give several values.
        if isinstance(value, list):
            value = next((part for part in value if isinstance(part, dict)), None)
        if not isinstance(value, dict):
            return None
        mended = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Nested too deeply, or containing NaN.
    except (RecursionError, ValueError):
        return None
    # json-repair reads an escaped pair as two surrogates; a lone surrogate is dropped.
    return mended.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def takes_too_long(text: str) -> bool:
    """Whether a text is too long or too deep for json-repair, or has too many quotes."""
    if len(text) > limits.REPAIRED_CHARACTERS or text.count('"') > limits.REPAIRED_QUOTES:
        return True
    steps = (1 if bracket in "{[" else -1 for bracket in BRACKET.findall(text))
    return max(itertools.accumulate(steps), default=0) > limits.REPAIRED_DEPTH


def with_escaped_quotes(value: regex.Match) -> str:
    """Escape the inner quotes of a field, except those already escaped."""
    return value[1] + INNER_QUOTE.sub(r'\\"', value[2]) + value[3]


def unescaped(texts: pyarrow.ChunkedArray) -> pyarrow.Array:
    """Each text with its JSON escapes decoded, whether or not it is valid JSON."""

    def character(escape: regex.Match) -> str:
        return chr(int(escape[1], 16)) if escape[1] else ESCAPED.get(escape[2], escape[0])

    def decoded(text: str) -> str:
        # A lone surrogate is dropped here, unlike in a repaired text, so the two differ.
        return (
            ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
        )

    return pyarrow.array([text and decoded(text) for text in texts.to_pylist()], pyarrow.string())


# SQL name, function, parameter types and result type.
FUNCTIONS = (
    ("repair_json", repair_json, ["VARCHAR"], "VARCHAR"),
    ("unescaped", unescaped, ["VARCHAR"], "VARCHAR"),
)
