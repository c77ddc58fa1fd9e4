"""Land some files together: all are read and checked completely before anything lands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from latent_probes import landing, table_files
from latent_probes.common import sql
from latent_probes.rollout_files import checks
from latent_probes.rollout_files.mapping import REMEDY, Mapping, refuse_double_numbering
from latent_probes.table_files import RowMemoryError, Source

# Beyond this, DuckDB spills to disk.
MEMORY_LIMIT = "2GB"
# A row has only one of them.
BOTH = ("continuation", "continuations")


@dataclass(frozen=True)
class Landed:
    """Result of landing some files: rollouts read, and rollouts added (the rest had landed).

    ``known_files`` is the number of Hub files that had already landed and were not read.
    """

    rollouts: int = 0
    added: int = 0
    known_files: int = 0

    def __add__(self, other: Landed) -> Landed:
        return Landed(
            self.rollouts + other.rollouts,
            self.added + other.added,
            self.known_files + other.known_files,
        )


def land_together(landing_path: Path, sources: list[Source], mapping: Mapping) -> Landed:
    """Land the rollouts of some files, all or nothing.

    Raises FileError for the first error found.
    """
    # A file given twice is landed once.
    sources = list({source.source_hash: source for source in sources}.values())
    try:
        return land_within(f"set memory_limit = '{MEMORY_LIMIT}'", landing_path, sources, mapping)
    except (duckdb.OutOfMemoryException, RowMemoryError):
        # Texts of hundreds of megabytes need all available memory.
        pass
    try:
        return land_within("reset memory_limit", landing_path, sources, mapping)
    except duckdb.OutOfMemoryException as error:
        places = ", ".join(source.place for source in sources)
        raise RowMemoryError(
            f"{places}: a row needs more memory than is available; shorten or drop it"
        ) from error


def land_within(limit: str, landing_path: Path, sources: list[Source], mapping: Mapping) -> Landed:
    """Read, check and land files under a memory limit."""
    with landing.opened(landing_path) as connection:
        connection.execute(limit)
        connection.execute(
            """
            create or replace temp table incoming (
                source_hash varchar, source_name varchar, row_number bigint, problem varchar,
                source_model varchar, doc_id varchar, continuation_idx bigint,
                doc_source varchar, prefix varchar, continuation varchar, sampling json,
                prefix_tokens integer[], continuation_tokens integer[]
            );
            create or replace temp table incoming_sources (
                source_hash varchar, kind varchar, name varchar, details json, n_rows bigint
            )
            """
        )
        for source in sources:
            read(connection, source, mapping)
            checks.refuse_first_problem(connection)
        checks.refuse_contradictions(connection)
        for source in sources:
            details = source.details | mapping.as_details()
            connection.execute(
                """
                insert into incoming_sources
                select $source_hash, $kind, $name, $details, count(*)
                from incoming
                where source_hash = $source_hash
                """,
                {
                    "source_hash": source.source_hash,
                    "kind": source.kind,
                    "name": source.name,
                    "details": json.dumps(details) if details else None,
                },
            )
        (rollouts,) = landing.one(connection, "select count(*) from incoming")
        return Landed(rollouts, landing.add_rollouts(connection))


def read(connection: duckdb.DuckDBPyConnection, source: Source, mapping: Mapping) -> None:
    """Append the rows of one file to ``incoming``, each with its problem, if any."""
    known = table_files.names(connection, source)
    refuse_double_numbering(source, mapping, known)
    columns = mapping.schema(known)
    # `unnest` would drop a null or an empty list together with its problem.
    listed = "if(problem is null, continuations, [null])"
    numbered = {
        "continuation": f"unnest({listed})",
        "continuation_idx": f"generate_subscripts({listed}, 1) - 1",
    }
    values = {
        "source_hash": sql.literal(source.source_hash),
        "source_name": sql.literal(source.place),
        **{ours: ours for ours in ("row_number", "problem", *mapping.needed(known))},
        **mapping.constant_values(known),
    }
    if values.pop("continuations", None):
        values |= numbered
    else:
        values["continuation_idx"] = f"try_cast({values['continuation_idx']} as bigint)"
    values["sampling"] = mapping.sampling()
    selected = ", ".join(f"{value} as {ours}" for ours, value in values.items())
    problems = mapping.contradicted()
    if mapping.unwanted(known):
        both = " and ".join(f"{ours} is not null" for ours in BOTH)
        problems[both] = f"has both {' and '.join(map(mapping.name_of, BOTH))}"
    branches = [f"when {when} then {sql.literal(then)}" for when, then in problems.items()]
    problem = f"case {' '.join(branches)} end" if branches else "null"
    table_files.read(
        connection,
        source,
        columns,
        lambda rows: (
            f"""
            insert into incoming by name
            select {selected}
            from (select * replace (coalesce(problem, {problem}) as problem) from {rows})
            """
        ),
        REMEDY,
    )
