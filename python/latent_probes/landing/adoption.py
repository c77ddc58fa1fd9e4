"""Land a published data set as it is, in tables of its own: the home then is an adopted one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from latent_probes.common import sql
from latent_probes.landing.opening import LandingError, first, looked_at, one, transaction

# The configs whose rows land, each in the table `adopted_CONFIG`.
CONFIGS = (
    *("rounds", "compact", "siblings", "rejections", "unscored", "control_answers"),
    *("controls", "folds", "text_readers"),
)
# What only the home of a maker contains.
MADE = {
    "rollouts": "rollouts",
    "started_rounds": "rounds",
    "requests": "requests",
    "calibration_rounds": "a calibration",
    "calibration_documents": "documents of a calibration",
    "resamples": "resampled continuations",
    "oracle_answers": "answers of methods",
}
# Queries that find a row if the rows of a data set contradict each other, by what they contradict.
CONTRADICTIONS = {
    "two of its probes have the same id": """
        select 1
        from (select unnest(probes).probe_id as probe_id from adopted_compact)
        group by probe_id
        having count(*) > 1
    """,
    "a document of `compact` is not in `siblings`": """
        select 1
        from adopted_compact as documents
        left join adopted_siblings as siblings using (round_number, source_model, doc_id)
        where
            not coalesce(
                list_contains(
                    list_transform(
                        list_filter(
                            siblings.continuations,
                            lambda x: x.continuation_idx = documents.doc_idx and not x.is_further
                        ),
                        lambda x: siblings.prefix || x.continuation
                    ),
                    documents.doc
                ),
                false
            )
    """,
    "a document is in no round of `rounds`": """
        select 1
        from adopted_siblings
        anti join adopted_rounds using (round_number, source_model)
    """,
    "a document has no fold": """
        select 1
        from adopted_compact
        anti join adopted_folds using (source_model, doc_id)
    """,
    "an answer in `control_answers` is to no probe": """
        select 1
        from adopted_control_answers
        anti join (select unnest(probes).probe_id as probe_id from adopted_compact)
            using (probe_id)
    """,
}


@dataclass(frozen=True)
class AdoptedSet:
    """An adopted data set: its manifest's hash, its name, and the build of its probes."""

    manifest_sha256: str
    name: str
    build: str


def adopted_set(connection: duckdb.DuckDBPyConnection) -> AdoptedSet | None:
    """The data set that this home was made from, if it was."""
    found = first(connection, "select manifest_sha256, name, build from adopted_sets")
    return AdoptedSet(*found) if found else None


def adopted(path: Path) -> AdoptedSet | None:
    """The same, of the landing file at ``path``, which need not exist."""
    if not path.exists():
        return None
    with looked_at(path) as connection:
        return adopted_set(connection)


def adopted_manifest(path: Path) -> str | None:
    """The manifest of the adopted data set, as JSON; None in another home."""
    if not path.exists():
        return None
    with looked_at(path) as connection:
        found = first(connection, "select manifest from adopted_sets")
    return found[0] if found else None


def refuse_adopted(path: Path, reason: str) -> None:
    """Raise LandingError in an adopted home: ``reason`` is what cannot be done there."""
    if found := adopted(path):
        raise LandingError(
            f"this home was adopted from {found.name}: {reason}; set LATENT_PROBES_HOME to another "
            "directory for that"
        )


def made_here(connection: duckdb.DuckDBPyConnection) -> str | None:
    """What a home contains that an adopted one cannot have, if anything."""
    for table, name in MADE.items():
        if first(connection, f"from {table} limit 1"):
            return name
    return None


def adopt(
    connection: duckdb.DuckDBPyConnection,
    incoming: AdoptedSet,
    manifest: str,
    files: Mapping[str, Sequence[Path]],
    prove: Callable[[], None],
) -> dict[str, int]:
    """Land the rows of these Parquet files, by config; return the number of rows of each.

    ``prove`` raises if the files are not those of the manifest; it is called when all rows have
    been read. Lands all or nothing. Raises LandingError if a file lacks a column, or if rows
    contradict each other.
    """
    n_rows = {}
    with transaction(connection):
        connection.execute(
            """
            insert into adopted_sets by name
            select
                $manifest_sha256 as manifest_sha256, $manifest::json as manifest, $name as name,
                $build as build, now() at time zone 'utc' as landed_at,
            """,
            {
                "manifest_sha256": incoming.manifest_sha256,
                "manifest": manifest,
                "name": incoming.name,
                "build": incoming.build,
            },
        )
        for config in CONFIGS:
            n_rows[config] = add(connection, incoming.name, config, files.get(config, ()))
        prove()
        for contradiction, query in CONTRADICTIONS.items():
            if first(connection, f"{query} limit 1"):
                raise LandingError(
                    f"{incoming.name}: {contradiction}, so nothing has landed; its maker must "
                    "export it again"
                )
    return n_rows


def add(
    connection: duckdb.DuckDBPyConnection, name: str, config: str, files: Sequence[Path]
) -> int:
    """Land the rows of a config's files; return their number."""
    if not files:
        return 0
    listed = ", ".join(map(sql.file_literal, files))
    rows = f"read_parquet([{listed}])"
    table = f"adopted_{config}"
    wanted = columns_of(connection, table)
    given = columns_of(connection, rows)
    if lacking := [column for column, kind in wanted.items() if given.get(column) != kind]:
        raise LandingError(
            f"{name}: config {config} has no column {lacking[0]} of type "
            f"{wanted[lacking[0]].lower()[:40]}, so nothing has landed; it was exported by another "
            "version of latent-probes: its maker must export it again"
        )
    selected = ", ".join(map(sql.identifier, wanted))
    (n_rows,) = one(connection, f"insert into {table} by name select {selected} from {rows}")
    return n_rows


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a relation with their types."""
    found = connection.execute(f"describe select * from {relation}").fetchall()
    return {column: kind for column, kind, *_ in found}
