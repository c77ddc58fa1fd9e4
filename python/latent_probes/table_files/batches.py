"""Rows of a text file, some at a time, as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow

from latent_probes.table_files.sources import FileError
from latent_probes.table_files.text_lines import has_surrogate

MAX_CHARACTERS = 1 << 24
MAX_ROWS = 1 << 14

Row = TypeVar("Row")


@dataclass(frozen=True)
class Batch:
    """Some rows: their numbers, what is wrong with each, and values and type of each column."""

    numbers: list[int]
    problems: list[str | None]
    columns: dict[str, tuple[list[Any], pyarrow.DataType]]

    def table(self, place: str) -> pyarrow.Table:
        """An Arrow table of row_number, problem and the columns.

        Raises FileError for the first row with an unpaired surrogate, which no text can contain.
        """
        try:
            return pyarrow.table(
                {
                    "row_number": pyarrow.array(self.numbers, pyarrow.int64()),
                    "problem": pyarrow.array(self.problems, pyarrow.string()),
                }
                | {ours: pyarrow.array(*column) for ours, column in self.columns.items()}
            )
        except UnicodeEncodeError as error:
            lists = [values for values, _ in self.columns.values()]
            for number, row in zip(self.numbers, zip(*lists, strict=True), strict=True):
                texts = [text for value in row for text in (value or [])]
                if any(map(has_surrogate, texts)):
                    raise FileError(
                        f"{place}, row {number}: contains a lone surrogate; write valid Unicode"
                    ) from error
            raise


def batched(
    rows: Iterator[tuple[int, Row]], length: Callable[[Row], int]
) -> Iterator[list[tuple[int, Row]]]:
    """Group numbered rows; ``length`` is the number of characters of a row."""
    batch: list[tuple[int, Row]] = []
    characters = 0
    for number, row in rows:
        batch.append((number, row))
        characters += length(row)
        if characters >= MAX_CHARACTERS or len(batch) >= MAX_ROWS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
