"""The published tables of the warehouse, as folders of Parquet files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from latent_probes.common import sql


@dataclass(frozen=True)
class Table:
    """A config of the data set: a dbt model, its folder, and its columns in order.

    A table with ``is_by_round`` has one file per round.
    """

    config: str
    model: str
    folder: str
    is_by_round: bool
    holds_texts: bool
    meaning: str
    columns: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """Glob pattern of its files."""
        return pattern_of(self.folder)

    @property
    def source(self) -> str:
        """The relation to read rows from (`train` itself has no round number)."""
        return "published_probes" if self.model == "train" else self.model

    @property
    def order(self) -> str:
        """Sort order of its rows, as SQL."""
        names = (
            (
                *("doc_id", "slot_idx", "finding", "arm", "reader", "measure"),
                *("oracle", "condition", "round_number"),
            )
            if "doc_id" in self.columns
            else ()
        )
        keys = [name for name in names if name in self.columns]
        return ", ".join(map(sql.identifier, keys)) or "all"


def published(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """The tables of the data set, in the order of the card; one not built here has no columns."""
    rows = connection.execute(
        """
        select
            config, model, folder, is_by_round, holds_texts, meaning,
            (
                select list(column_name order by column_index)
                from duckdb_columns()
                where table_name = model and database_name = current_database()
            ) as columns,
        from published_tables
        order by position
        """
    ).fetchall()
    return [
        Table(config, model, folder, is_by_round, holds_texts, meaning, tuple(columns or ()))
        for config, model, folder, is_by_round, holds_texts, meaning, columns in rows
    ]


def pattern_of(folder: str) -> str:
    """Glob pattern of the files in a folder of the data set."""
    return f"{folder}/train-*.parquet"


def patterns(figures: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Glob patterns of the files of each config, in the order of the card.

    Raises ValueError if a folder is not a plain name: queries can come from a stranger.
    """
    found = figures.execute("select config, folder from published_tables order by position")
    listed = dict(found.fetchall())
    for name in (*listed, *listed.values()):
        if not re.fullmatch(r"[A-Za-z0-9_]+", str(name)):
            raise ValueError(f"{name!r} in `published_tables` is not a plain name")
    return {config: pattern_of(folder) for config, folder in listed.items()}


def paths(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[Path, int | None]]:
    """The files of a table, in order: path relative to the export folder, and round."""
    if not table.is_by_round:
        return [(Path(table.folder) / "train-all.parquet", None)]
    # A round without probes still has rejection reasons, but no texts.
    numbers = connection.execute(
        "select round_number from published_rounds where n_probes > 0 or not $holds_texts "
        "order by round_number",
        {"holds_texts": table.holds_texts},
    ).fetchall()
    return [
        (Path(table.folder) / f"train-round-{number:04d}.parquet", number) for (number,) in numbers
    ]
