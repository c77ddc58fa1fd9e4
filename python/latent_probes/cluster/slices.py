"""Divide rows into parts: those of its prefixes or of its round for each, as Parquet files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

import duckdb

from latent_probes.cluster.scales import PREFIXES, ROUND
from latent_probes.common import sql
from latent_probes.common.storage import Storage
from latent_probes.landing.adoption import CONFIGS
from latent_probes.landing.opening import TEXTS

# Of prefixes: a part has about as many as this, and at most twice.
PREFIXES_A_PART = 4_000
SOURCE = "landing."

# Landing tables with rows of one part each; `part` is its number. The others go to every part.
DIVIDED = {
    PREFIXES: {
        "rollouts": "select hash(source_model, doc_id) % $parts as part, * from landing.rollouts",
    },
    ROUND: {
        "rollouts": """
            select documents.round_number as part, rollouts.*
            from landing.rollouts
            join round_documents as documents using (source_model, doc_id)
        """,
        "requests": "select round_number as part, * from landing.requests",
        "batches": """
            select distinct requests.round_number as part, batches.*
            from landing.batches
            join landing.requests using (batch_id)
        """,
        "responses": """
            select requests.round_number as part, responses.*
            from landing.responses
            join landing.requests using (request_id, attempt)
        """,
        "oracle_answers": """
            select probes.round_number as part, oracle_answers.*
            from landing.oracle_answers
            join probes using (probe_id)
        """,
        "local_scores": """
            select probes.round_number as part, local_scores.*
            from landing.local_scores
            join probes using (probe_id)
        """,
        "resamples": """
            select distinct documents.round_number as part, resamples.*
            from landing.resamples
            join resample_splits as splits using (source_model, prefix_hash)
            join round_documents as documents using (source_model, doc_id)
        """,
    },
}
# An adopted home is not built in parts: of these, every part gets the same rows, which are none.
EVERYWHERE = (
    *("rollout_sources", "readers", "adopted_sets"),
    *(f"adopted_{config}" for config in CONFIGS),
)
# What must be complete before a landing table can be divided into rounds.
AVAILABLE_AFTER = {
    "landing.rollouts": ("round_documents",),
    "landing.oracle_answers": ("probes",),
    "landing.local_scores": ("probes",),
    "landing.resamples": ("resample_splits", "round_documents"),
}


@dataclass
class Slice:
    """The rows of one table: per part their fingerprint, and their files once they are written.

    Rows that every part gets are those of the part None.
    """

    table: str
    query: str
    columns: dict[str, str]
    fingerprints: dict[int | None, str] = field(default_factory=dict)
    files: dict[int | None, list[str]] = field(default_factory=dict)

    def fingerprint(self, part: int) -> str:
        """Identity of the rows that a part gets."""
        return self.fingerprints.get(part) or self.fingerprints.get(None, "none")

    def files_of(self, part: int) -> list[str]:
        """The files with the rows that a part gets."""
        return self.files.get(part) or self.files.get(None, [])


def part_numbers(connection: duckdb.DuckDBPyConnection, scale: str) -> list[int]:
    """The numbers of the parts: of prefixes from 0, or the rounds'; at least one."""
    if scale == ROUND:
        found = connection.execute("select round_number from round_settings order by all")
        return [number for (number,) in found.fetchall()] or [0]
    n_parts = 1
    ((n_prefixes,),) = connection.execute(
        "select count(distinct (source_model, doc_id)) from landing.rollouts"
    ).fetchall()
    # Doubled, so that most parts of a growing landing file stay as they are for long.
    while n_parts * PREFIXES_A_PART < n_prefixes:
        n_parts *= 2
    return list(range(n_parts))


def divided(connection: duckdb.DuckDBPyConnection, scale: str, table: str, n_parts: int) -> Slice:
    """How the rows of a table are divided: of ``landing.NAME``, or of a table of the warehouse."""
    name = table.removeprefix(SOURCE)
    columns = columns_of(connection, table)
    if table.startswith(SOURCE):
        assert name in DIVIDED[scale] or name in EVERYWHERE, table
        query = DIVIDED[scale].get(name)
        hashed = [column for column in columns if column not in TEXTS]
    else:
        query = query_of_rounds(table, columns) if scale == ROUND else None
        hashed = list(columns)
    query = (query or f"select null as part, * from {table}").replace("$parts", str(n_parts))
    found = Slice(table, query, columns)
    values = ", ".join(map(sql.identifier, hashed))
    for part, n_rows, digest in connection.execute(
        f"select part, count(*), sum(hash({values})) from ({query}) group by part"
    ).fetchall():
        found.fingerprints[part] = f"{n_rows} {digest}"
    return found


def query_of_rounds(table: str, columns: dict[str, str]) -> str | None:
    """The rows of a table of the warehouse with their round; None if they are of no round."""
    if "round_number" in columns:
        return f"select round_number as part, * from {table}"
    if {"source_model", "doc_id"} <= columns.keys():
        return f"""
            select documents.round_number as part, {table}.*
            from {table}
            join round_documents as documents using (source_model, doc_id)
        """
    return None


def write(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    folder: str,
    slices: list[Slice],
    parts: list[int],
) -> None:
    """Write the rows of these parts into a folder of the storage."""
    for piece in slices:
        with storage.scratch() as scratch:
            wanted = ", ".join(map(str, parts))
            connection.execute(
                f"""
                copy (from ({piece.query}) where part is null or part in ({wanted}))
                to {sql.literal(scratch / "rows")} (format parquet, partition_by (part))
                """
            )
            for path in sorted((scratch / "rows").rglob("*.parquet")):
                part = path.parent.name.removeprefix("part=")
                number = int(part) if part.isdigit() else None
                name = f"{folder}/{piece.table}/{path.parent.name}/{path.name}"
                storage.put(path, name)
                piece.files.setdefault(number, []).append(name)
            shutil.rmtree(scratch / "rows", ignore_errors=True)


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of a table with their types."""
    return {column: kind for column, kind, *_ in connection.execute(f"describe {table}").fetchall()}
