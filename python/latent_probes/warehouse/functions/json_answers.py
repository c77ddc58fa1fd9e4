"""The one JSON object in an answer that has something else around it.

Around it can be prose, a code fence, another object, a list or an object that contains it; or it is
written as a JSON string. It is recognized by its fields and taken verbatim. Time is linear.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow
import regex

from latent_probes.common import limits

# No answer is deeper inside something else, or has more trailing commas.
MAX_DEPTH = 20
MAX_TRAILING_COMMAS = 100
# Characters read in vain, for each character of a text.
VAIN_CHARACTERS = 20
# Where a value with an object in it can start: an object, a list, or a JSON string of one. Without
# a limit, each of many escaped quotes would look for the object behind all others.
START = regex.compile(
    r'\{(?=\s*+")|\[(?=\s*+[\[{"])'
    r'|"(?=(?:\\+["nrt]|\s){0,50}+[\[{](?:\\+[nrt]|\s){0,50}+\\+")'
)
# An object in which every quote is escaped, as in a JSON string without its own quotes.
ESCAPED = regex.compile(r'\{(?:\\[nrt]|\s)*+\\"')
KEY = regex.compile(r'"\s*+:')
TRAILING_COMMA = regex.compile(r",\s*+[}\]]")
# The end of an answer: three objects end in a row.
END = regex.compile(r"\}(?:\s*+\}){2,}")


class Found(NamedTuple):
    """JSON, or what might be repaired to it; ambiguous if there might be another answer."""

    json: str | None
    is_ambiguous: bool = False


class Several(list):
    """The different values that an object gives for one field."""


class Merged(dict):
    """An object that gives a field twice with the same value."""


class Value(NamedTuple):
    """A JSON value, and where in a text it is."""

    value: Any
    starts_at: int
    ends_at: int


def json_answer(texts: pyarrow.ChunkedArray, fields: pyarrow.ChunkedArray) -> pyarrow.Array:
    """For each text, the JSON object with all ``fields``, or what might be repaired to it."""
    found = (
        found_in(text or "", names)
        for text, names in zip(texts.to_pylist(), fields.to_pylist(), strict=True)
    )
    return pyarrow.array(
        [one._asdict() for one in found],
        pyarrow.struct({"json": pyarrow.string(), "is_ambiguous": pyarrow.bool_()}),
    )


def found_in(text: str, fields: list[str]) -> Found:
    """The JSON object with all ``fields`` in a text.

    Several equal ones are one, and so are equal values of a field. It is ambiguous if they differ,
    or if fields of another one are named outside. Without such an object: the object that has most
    of the fields, or the part of the text that might be repaired.
    """
    if len(text) > limits.ANSWER_CHARACTERS:
        return Found(None)
    as_written = text
    text, values = read(text)
    answers = list(answers_among(text, values, fields))
    if not answers and (start := ESCAPED.search(text)):
        unescaped = read(f'"{text[start.start() : text.rfind("}") + 1]}"', is_strict=False)
        answers = list(answers_among(*unescaped, fields))
    if not answers:
        return rest(remainder(as_written, text, values, fields))
    (answer, *others) = answers
    kinds = {type(part) for part in parts_of(answer)}
    is_ambiguous = Several in kinds or any(other != answer for other in others)
    for value in values:
        if value.value is answer and Merged not in kinds:
            return Found(text[value.starts_at : value.ends_at], is_ambiguous)
    return Found(json.dumps(answer), is_ambiguous)


def rest(text: str | None) -> Found:
    """What might be repaired, unless it is JSON that gives a field different values."""
    try:
        value = json.loads(text or "{", object_pairs_hook=merged)
    except json.JSONDecodeError:
        return Found(text)
    except (RecursionError, ValueError):
        return Found(None)
    return Found(text, any(isinstance(part, Several) for part in parts_of(value)))


def parts_of(value: Any) -> Iterator[Any]:
    """A JSON value and all values in it."""
    parts = [value]
    while parts:
        yield (part := parts.pop())
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def read(text: str, *, is_strict: bool = True) -> tuple[str, list[Value]]:
    """A text without trailing commas, and its JSON values, none of them inside another."""
    decoder = json.JSONDecoder(object_pairs_hook=merged, strict=is_strict)
    values: list[Value] = []
    place, commas = 0, MAX_TRAILING_COMMAS
    readings, characters = limits.ANSWER_READINGS, VAIN_CHARACTERS * len(text)
    while readings > 0 and characters > 0 and (start := START.search(text, place)):
        place = start.start()
        try:
            value, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            comma = trailing_comma(text, error.pos)
            if commas and comma is not None:
                text = f"{text[:comma]} {text[comma + 1 :]}"
                commas -= 1
                continue
            is_open = error.msg.startswith("Unterminated")
            characters -= (len(text) if is_open else error.pos) - place
            readings -= 1
            place += 1
        # Nested too deeply, or a number of too many digits.
        except (RecursionError, ValueError):
            characters -= len(text) - place
            place += 1
        else:
            values.append(Value(value, place, end))
            place = end
    return text, values


def trailing_comma(text: str, place: int) -> int | None:
    """Where the comma is, if a place is that of the last one of a list or what follows it."""
    if text[place : place + 1] in ("}", "]"):
        place -= 1
        while place > 0 and text[place].isspace():
            place -= 1
    return place if TRAILING_COMMA.match(text, place) else None


def merged(pairs: list[tuple[str, Any]]) -> dict:
    """A JSON object. Of a field that it gives twice, equal values are one, others are several."""
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    values: dict[str, list] = {}
    for key, part in pairs:
        found = values.setdefault(key, [part])
        if part != found[0]:
            found.append(part)
    return Merged(
        (key, found[0] if len(found) == 1 else Several(found)) for key, found in values.items()
    )


def answers_among(
    text: str, values: list[Value], fields: list[str], depth: int = 0
) -> Iterator[dict | None]:
    """The objects with all ``fields`` in some values of a text.

    None for another one that is damaged: any of its fields is named after them; or before them, in
    a text that has half as many keys and is therefore no sketch.
    """
    holding = []
    for value in values:
        found = list(answers_in(value.value, fields, depth))
        yield from found
        if found:
            holding.append(value)
    if holding:
        (first, *_), (before, *after) = holding, outside(text, holding)
        keys = [len(KEY.findall(part)) for part in (before, text[first.starts_at : first.ends_at])]
        if (named(before, fields) and 2 * keys[0] > keys[1]) or any(
            named(part, fields) for part in after
        ):
            yield None


def answers_in(value: Any, fields: list[str], depth: int) -> Iterator[dict | None]:
    """The same for a value."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        if "{" in value:
            yield from answers_among(*read(value), fields, depth + 1)
    elif isinstance(value, dict) and value.keys() >= set(fields):
        yield value
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        found = {key: list(answers_in(part, fields, depth + 1)) for key, part in parts}
        for answers in found.values():
            yield from answers
        # Beside the object that has it, a field is another one's.
        if any(found.values()) and any(not found.get(field, [None]) for field in fields):
            yield None


def remainder(as_written: str, text: str, values: list[Value], fields: list[str]) -> str | None:
    """What might be repaired; or, where the fields are named in no other place, the best object.

    What is repaired keeps its commas: in a damaged answer, any of them can be part of a text.
    """
    objects = [value for value in values if isinstance(value.value, dict)]
    if objects and not any(named(part, fields) for part in outside(text, values)):
        best = max(objects, key=lambda value: len(value.value.keys() & set(fields)))
        return text[best.starts_at : best.ends_at]
    opening = regex.search(rf"""\{{\s*+\\*+["']?(?:{"|".join(fields)})\b""", text)
    start = opening.start() if opening else text.find("{")
    place = max(start, 0)
    ends = [text.find("\n```", place)] if "```" in text[:place] else []
    ends += [*[match.end() for match in END.finditer(text, place)][-1:], text.rfind("}") + 1]
    # What names fields after it belongs to it, or the repair shows that it is another answer.
    end = next((end for end in ends if end > 0 and not named(text[end:], fields)), len(text))
    return as_written[start:end] if 0 <= start < end and "}" in text[start:end] else None


def outside(text: str, values: Iterable[Value]) -> list[str]:
    """The parts of a text before, between and after some values."""
    parts, place = [], 0
    for value in values:
        parts.append(text[place : value.starts_at])
        place = value.ends_at
    return [*parts, text[place:]]


def named(text: str, fields: list[str]) -> set[str]:
    """Which of the fields a text names as JSON does."""
    names = regex.finditer(rf"""["']({"|".join(fields)})\\*+["']\s*+:""", text)
    return {name[1] for name in names}


# SQL name, function, parameter types and result type.
FUNCTIONS = (
    (
        *("json_answer", json_answer, ["VARCHAR", "VARCHAR[]"]),
        "STRUCT(json VARCHAR, is_ambiguous BOOLEAN)",
    ),
)
