"""Mapping of our columns to a file: columns with other names, and constants."""

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
# Columns that can be constant in a file; not the texts, since that would be one document.
CONSTANTS = ("source_model", "doc_source", "continuation_idx", *SAMPLING_COLUMNS)


@dataclass(frozen=True)
class Mapping:
    """The file's names for our columns, and constants that replace a column.

    Raises RolloutFileError if both are given for a column, or a constant has the wrong type.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ours, value in self.constants.items():
            if ours in self.columns:
                raise RolloutFileError(
                    f"{ours} is given both as a column and as a constant; drop one"
                )
            if ours == "continuation_idx" and not re.fullmatch("[0-9]{1,18}", value):
                raise RolloutFileError(f"constant {ours}={value} is not a non-negative integer")
            if ours in SAMPLING_COLUMNS and not is_number(value):
                raise RolloutFileError(f"constant {ours}={value} is not a number")

    def name_of(self, ours: str) -> str:
        """The file's name for one of our columns."""
        return self.columns.get(ours, ours)

    def as_details(self) -> dict:
        """The mapping as it is recorded with a source."""
        given = {"columns": self.columns, "constants": self.constants}
        return {name: values for name, values in given.items() if values}

    def matches(self, details: dict) -> bool:
        """Whether a source with these details was read with the same mapping."""
        return self.as_details() == {
            name: details[name] for name in ("columns", "constants") if name in details
        }

    def has_list(self, known: dict[str, str]) -> bool:
        """Whether a file with these columns has a list of continuations per row."""
        return self.name_of("continuations") in known

    def texts(self) -> list[str]:
        """Our text columns that a file must have, except the continuation."""
        return [ours for ours in TEXT_COLUMNS if ours not in self.constants]

    def needed(self, known: dict[str, str]) -> list[str]:
        """All of our columns that a file with these columns must have."""
        if self.has_list(known):
            return [*self.texts(), "continuations"]
        index = [ours for ours in ("continuation_idx",) if ours not in self.constants]
        return [*self.texts(), "continuation", *index]

    def constant_values(self, known: dict[str, str]) -> dict[str, str]:
        """SQL expressions of the constants that are columns of a rollout."""
        values = {
            ours: sql.literal(self.constants[ours])
            for ours in TEXT_COLUMNS
            if ours in self.constants
        }
        if "continuation_idx" in self.constants and not self.has_list(known):
            values["continuation_idx"] = f"{self.constants['continuation_idx']}::bigint"
        return values

    def sampling(self, found: dict[str, str]) -> str:
        """SQL for a JSON object of the sampling settings: those ``found``, and the constants."""
        constant = {
            ours: f"{sql.literal(value)}::json"
            for ours, value in self.constants.items()
            if ours in SAMPLING_COLUMNS
        }
        values = found | constant
        pairs = [f"'{ours}', {values[ours]}" for ours in SAMPLING_COLUMNS if ours in values]
        return f"json_object({', '.join(pairs)})"


def is_number(text: str) -> bool:
    """Whether a text is a JSON number."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_missing_columns(source: Source, mapping: Mapping, known: dict[str, str]) -> None:
    """Raise with the names of all required columns that are missing."""
    names = [mapping.name_of(ours) for ours in mapping.needed(known)]
    missing = [repr(name) for name in names if name not in known]
    if missing:
        raise RolloutFileError(
            f"{source.place}, row 1: no column {' nor '.join(missing)} "
            f"among {', '.join(known) or 'none'}; add the missing columns, map another column with "
            "--column OURS=THEIRS, or give a constant value with --constant OURS=VALUE"
        )
    if mapping.has_list(known) and "continuation_idx" in mapping.constants:
        raise RolloutFileError(
            f"{source.place}, row 1: the list {mapping.name_of('continuations')!r} numbers its "
            "continuations; leave out the constant continuation_idx"
        )
