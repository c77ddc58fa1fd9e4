"""Faults in files that people edit, as sentences."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

MAX_SHOWN = 8
MAX_LENGTH = 80
# References in YAML can make a collection of endless length.
SHORT = reprlib.Repr()
SHORT.maxlevel = 4
SHORT.maxstring = MAX_LENGTH


class ProjectError(Exception):
    """A file of the project is invalid; the message says where, and what is allowed there."""


def raise_if_any(faults: Sequence[str]) -> None:
    """Raise ProjectError with the first of the faults, a line each, if there are any."""
    if not faults:
        return
    more = len(faults) - MAX_SHOWN
    lines = [*faults[:MAX_SHOWN], *([f"and {more:,} more of this kind"] if more > 0 else [])]
    raise ProjectError("\n".join(lines))


def shown(value: Any) -> str:
    """A value of a file, shortened and in quotes if it is a text."""
    text = SHORT.repr(value) if isinstance(value, (dict, list, set, tuple)) else repr(value)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"
