"""Our columns, and what stands for them in a file: a column of another name, or a constant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from latent_probes.common import sql
from latent_probes.rollout_files.sources import RolloutFileError, Source

TEXT_COLUMNS = ("source_model", "doc_id", "doc_source", "prefix")
SAMPLING_COLUMNS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_new_tokens",
    "sampling_seed",
)
COLUMNS = (
    *TEXT_COLUMNS,
    *("continuation", "continuation_idx", "continuations"),
    *SAMPLING_COLUMNS,
)
# What may be the same in all rows of a file; a text that is would be one document.
CONSTANTS = ("source_model", "doc_source", "continuation_idx", *SAMPLING_COLUMNS)


@dataclass(frozen=True)
class Mapping:
    """The file's names of our columns, and constants that stand in place of a column.

    Raises RolloutFileError if both are given for a column, or a constant is not of its type.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ours, value in self.constants.items():
            if ours in self.columns:
                raise RolloutFileError(f"{ours} is given as a column and as a constant; leave one")
            if ours == "continuation_idx" and not re.fullmatch("[0-9]{1,18}", value):
                raise RolloutFileError(f"constant {ours}={value} is not a whole number from 0")
            if ours in SAMPLING_COLUMNS and not is_number(value):
                raise RolloutFileError(f"constant {ours}={value} is no number")

    def name_of(self, ours: str) -> str:
        """The file's name of one of our columns."""
        return self.columns.get(ours, ours)

    def as_details(self) -> dict:
        """What is recorded of it."""
        given = {"columns": self.columns, "constants": self.constants}
        return {name: values for name, values in given.items() if values}

    def matches(self, details: dict) -> bool:
        """Whether a source with these details was read with the same mapping."""
        return self.as_details() == {
            name: details[name] for name in ("columns", "constants") if name in details
        }

    def has_list(self, known: dict[str, str]) -> bool:
        """Whether a file of these columns has a list of continuations in a row."""
        return self.name_of("continuations") in known

    def texts(self) -> list[str]:
        """Our columns of text, but for the continuation, that a file must hold."""
        return [ours for ours in TEXT_COLUMNS if ours not in self.constants]

    def needed(self, known: dict[str, str]) -> list[str]:
        """All of our columns that a file of these columns must hold."""
        if self.has_list(known):
            return [*self.texts(), "continuations"]
        index = [ours for ours in ("continuation_idx",) if ours not in self.constants]
        return [*self.texts(), "continuation", *index]

    def constant_values(self, known: dict[str, str]) -> dict[str, str]:
        """SQL for the constants that are columns of a rollout."""
        values = {
            ours: sql.literal(self.constants[ours])
            for ours in TEXT_COLUMNS
            if ours in self.constants
        }
        if "continuation_idx" in self.constants and not self.has_list(known):
            values["continuation_idx"] = f"{self.constants['continuation_idx']}::bigint"
        return values

    def sampling(self, found: dict[str, str]) -> str:
        """SQL for a JSON object of the sampling settings: those ``found``, and constants."""
        constant = {
            ours: f"{sql.literal(value)}::json"
            for ours, value in self.constants.items()
            if ours in SAMPLING_COLUMNS
        }
        values = found | constant
        pairs = [f"'{ours}', {values[ours]}" for ours in SAMPLING_COLUMNS if ours in values]
        return f"json_object({', '.join(pairs)})"


def is_number(text: str) -> bool:
    """Whether a text is a number as JSON has it."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_missing_columns(source: Source, mapping: Mapping, known: dict[str, str]) -> None:
    """Name all columns that are needed and not there."""
    names = [mapping.name_of(ours) for ours in mapping.needed(known)]
    missing = [repr(name) for name in names if name not in known]
    if missing:
        raise RolloutFileError(
            f"{source.place}, row 1: no column {' nor '.join(missing)} "
            f"among {', '.join(known) or 'none'}; add what is missing, map another column with "
            "--column OURS=THEIRS, or state what is the same in all rows with "
            "--constant OURS=VALUE"
        )
    if mapping.has_list(known) and "continuation_idx" in mapping.constants:
        raise RolloutFileError(
            f"{source.place}, row 1: the list {mapping.name_of('continuations')!r} numbers its "
            "continuations; leave out the constant continuation_idx"
        )
