"""Mapping of our columns to a file: columns with other names, and constants."""

from __future__ import annotations

from dataclasses import dataclass, field

from latent_probes.common import sql
from latent_probes.table_files import Column, FileError, Number, Source, Text, Texts
from latent_probes.table_files.columns import accepts

TEXT_COLUMNS = ("source_model", "doc_id", "doc_source", "prefix")
# Bounds that every sampler keeps. `top_k` is -1 or 0 where all tokens are sampled from.
SAMPLING_COLUMNS = {
    "temperature": Number(0, 100),
    "top_p": Number(0, 1),
    "top_k": Number(-1, 2**31 - 1, whole=True),
    "min_p": Number(0, 1),
    "max_new_tokens": Number(1, 2**31 - 1, whole=True),
    "sampling_seed": Number(-(2**63), 2**64 - 1, whole=True),
}
KINDS: dict[str, Text | Texts | Number] = {
    "continuations": Texts(),
    "continuation_idx": Number(0, 2**63 - 1, whole=True, called="a non-negative integer"),
    **SAMPLING_COLUMNS,
}
REMEDY = (
    ", map another column with --column OURS=THEIRS, or give a constant value with --constant "
    "OURS=VALUE"
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
    """The file's names for our columns, and constants for columns that it does not have.

    ``delimiter`` separates the fields of CSV files. Raises FileError if both are given for a
    column, or a constant has the wrong type.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    delimiter: str = ","

    def __post_init__(self) -> None:
        for ours, value in self.constants.items():
            if ours in self.columns:
                raise FileError(f"{ours} is given both as a column and as a constant; drop one")
            kind = KINDS.get(ours)
            if isinstance(kind, Number) and not accepts(kind, value):
                raise FileError(f"constant {ours}={value} is not {kind.words}")

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

    def has_list(self, known: list[str]) -> bool:
        """Whether a file with these columns has a list of continuations per row."""
        return self.name_of("continuations") in known

    def texts(self) -> list[str]:
        """Our text columns that a file must have, except the continuation."""
        return [ours for ours in TEXT_COLUMNS if ours not in self.constants]

    def needed(self, known: list[str]) -> list[str]:
        """All of our columns that a file with these columns must have."""
        if self.has_list(known):
            return [*self.texts(), "continuations"]
        index = [ours for ours in ("continuation_idx",) if ours not in self.constants]
        return [*self.texts(), "continuation", *index]

    def unwanted(self, known: list[str]) -> list[str]:
        """Our column that no row of a file with these columns may have beside its continuation."""
        if self.name_of("continuation") == self.name_of("continuations"):
            return []
        return ["continuation" if self.has_list(known) else "continuations"]

    def contradicted(self) -> dict[str, str]:
        """Messages for rows with a value of their own beside a constant, by their SQL condition."""
        return {
            f"{ours} != ''": f"has {ours} beside the constant {ours}={value} (drop the constant)"
            for ours, value in self.constants.items()
        }

    def schema(self, known: list[str]) -> list[Column]:
        """The columns to read of a file with these columns."""
        needed = [
            # CSV cannot distinguish an empty text from null; here it is an empty text.
            Column(
                ours,
                self.name_of(ours),
                KINDS.get(ours, Text()),
                empty_is_text=ours == "continuation",
            )
            for ours in self.needed(known)
        ]
        other = [
            Column(
                ours,
                self.name_of(ours),
                KINDS.get(ours, Text()),
                required=False,
                nullable=True,
                empty_is_text=True,
            )
            for ours in self.unwanted(known)
        ] + [
            Column(ours, ours, KINDS.get(ours, Text()), required=False, nullable=True)
            for ours in self.constants
        ]
        settings = [
            Column(ours, self.name_of(ours), kind, required=ours in self.columns, nullable=True)
            for ours, kind in SAMPLING_COLUMNS.items()
            if ours not in self.constants
        ]
        return needed + other + settings

    def constant_values(self, known: list[str]) -> dict[str, str]:
        """SQL expressions of the constants that are columns of a rollout."""
        values = {
            ours: sql.literal(self.constants[ours])
            for ours in TEXT_COLUMNS
            if ours in self.constants
        }
        if "continuation_idx" in self.constants and not self.has_list(known):
            values["continuation_idx"] = sql.literal(self.constants["continuation_idx"])
        return values

    def sampling(self) -> str:
        """SQL for a JSON object of the sampling settings of a row and of the constants."""
        values = {ours: f"try_cast({ours} as json)" for ours in SAMPLING_COLUMNS} | {
            ours: f"{sql.literal(value)}::json"
            for ours, value in self.constants.items()
            if ours in SAMPLING_COLUMNS
        }
        pairs = ", ".join(f"'{ours}', {value}" for ours, value in values.items())
        # Drops the settings that a row does not have.
        return f"json_merge_patch('{{}}'::json, json_object({pairs}))"


def refuse_double_numbering(source: Source, mapping: Mapping, known: list[str]) -> None:
    """Raise FileError if both a list and a constant number the continuations."""
    if mapping.has_list(known) and "continuation_idx" in mapping.constants:
        raise FileError(
            f"{source.place}, row 1: the list {mapping.name_of('continuations')!r} numbers its "
            "continuations; leave out the constant continuation_idx"
        )
