"""Units of texts: sentences that are none, cut abbreviations, unfinished ends, and CPU time.

    python bench/units.py FILE…

FILE is a JSONL file of rollouts (`prefix`, `continuation`) or of pages (`text`); by default, the
sample. At most 300 rows of each are read. A unit is a sentence that can be an atom. The table
counts units that should be none, by patterns that segmentation does not use: of fewer than five
words, a marker of a list, cut after an abbreviation, open (not finished), several sentences in a
quotation; and texts whose last unit is open. `parts` is the share of words that begin right after
another one, without white space between them. CPU time is the least of five runs.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow

from latent_probes.warehouse.functions import texts, units

ROOT = Path(__file__).parents[1]
ROWS = 300
REPETITIONS = 5
MARKER = re.compile(r"\W*(?:\d+|[A-Za-z]|[ivxIVX]+)?\W*")
ABBREVIATION = re.compile(r"\b(?:Ms|Mx|Bd|Amb|Atty|Assoc|Vol|Eq|Ch|Wash|Calif|Mass)\.$")
FINISHED = re.compile(r"[.!?…][\"'”’»)\]]*(?:\[\d+\])?$")
INNER = re.compile(r"[\"“][^\"”]*[a-z]{4}[.!?] [\"“]?[A-Z][^\"”]*[\"”]")
Found = list[tuple[str, str]]


def read(file: Path) -> list[str]:
    """The first texts of a file."""
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(ROWS), lines, strict=False)]
    return [row["text"] if "text" in row else row["prefix"] + row["continuation"] for row in rows]


def found_in(text: str) -> Found:
    """Each unit of a text with what follows it in its line."""
    spans = units_of([text])[0]
    ends = [re.compile("$", re.MULTILINE).search(text, end) for _, end in spans]
    return [
        (text[start:end], text[end : line.start() if line else len(text)])
        for (start, end), line in zip(spans, ends, strict=True)
    ]


def units_of(given: list[str]) -> list[list[tuple[int, int]]]:
    """The spans of the sentences of some texts."""
    columns = pyarrow.chunked_array([given]), pyarrow.chunked_array([["en"] * len(given)])
    rows = texts.text_units(*columns).field("sentences").to_pylist()
    return [[(span["starts_at"], span["ends_at"]) for span in row] for row in rows]


def parts(given: list[str]) -> str:
    """The share of words with no white space between them and the word before."""
    n_words = n_parts = 0
    for text in given:
        words = units.prose_word_spans(text)
        n_words += len(words)
        gaps = pairwise(words)
        n_parts += sum(not re.search(r"\s", text[end:start]) for (_, end), (start, _) in gaps)
    return f"{n_parts / max(1, n_words):.2%}"


def share(found: Found, holds: Callable[[str, str], bool]) -> str:
    """The share of units for which something holds."""
    return f"{sum(holds(*one) for one in found) / max(1, len(found)):.1%}"


def seconds_per_megabyte(given: list[str]) -> float:
    """CPU seconds for all units of a million characters."""
    least = float("inf")
    for _ in range(REPETITIONS):
        started = time.process_time()
        units_of(given)
        least = min(least, time.process_time() - started)
    return least / sum(map(len, given)) * 1e6


def main() -> None:
    """Print a row of figures for each file."""
    files = [Path(name) for name in sys.argv[1:]] or [ROOT / "sample" / "rollouts.jsonl"]
    print(units.METHOD)
    names = (
        "units",
        "/text",
        "<5 words",
        "marker",
        "abbr",
        "open",
        "quoted",
        "ends",
        "parts",
        "s/MB",
    )
    print(f"{'file':<16}" + "".join(f"{name:>{len(name) + 2}}" for name in names))
    for file in files:
        given = read(file)
        each = [found_in(text) for text in given]
        found = [one for units_found in each for one in units_found]
        lasts = [units_found[-1] for units_found in each if units_found]
        values = (
            f"{len(found):,}",
            f"{len(found) / len(given):.1f}",
            share(found, lambda unit, after: len(unit.split()) < 5),
            share(found, lambda unit, after: MARKER.fullmatch(unit) is not None),
            share(found, lambda unit, after: bool(ABBREVIATION.search(unit) and after.strip())),
            share(found, lambda unit, after: not FINISHED.search(unit)),
            share(found, lambda unit, after: INNER.search(unit) is not None),
            share(lasts, lambda unit, after: not FINISHED.search(unit)),
            parts(given),
            f"{seconds_per_megabyte(given):.2f}",
        )
        print(
            f"{file.stem[:15]:<16}"
            + "".join(
                f"{value:>{len(name) + 2}}" for name, value in zip(names, values, strict=True)
            )
        )


if __name__ == "__main__":
    main()
