"""Reserve documents for a calibration, and record its levels in the landing file of its home."""

from __future__ import annotations

from pathlib import Path

import duckdb

from latent_probes.common import sql
from latent_probes.landing.opening import transaction

SETTINGS = ("seed", "source_model", "n_answers", "generator_model", "answerer_model", "judge_model")


def set_apart(connection: duckdb.DuckDBPyConnection, source_model: str, doc_ids: list[str]) -> None:
    """Reserve exactly these documents for a calibration: no round draws them any more."""
    with transaction(connection):
        connection.execute("delete from calibration_documents")
        connection.executemany(
            "insert into calibration_documents values (?, ?) on conflict do nothing",
            [(source_model, doc_id) for doc_id in doc_ids],
        )


def calibration_documents(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Source model and doc_id of every reserved document."""
    return connection.execute("from calibration_documents order by all").fetchall()


def stated_levels(connection: duckdb.DuckDBPyConnection) -> list[dict]:
    """The levels recorded in this file, with their settings."""
    rows = connection.execute(
        f"select calibration_level, {', '.join(SETTINGS)} from calibration_rounds order by 1"
    ).fetchall()
    return [dict(zip(("calibration_level", *SETTINGS), row, strict=True)) for row in rows]


def add_levels(
    connection: duckdb.DuckDBPyConnection, origin: Path, settings: dict, levels: list[int]
) -> None:
    """Record levels in the file of a calibration's home, with the documents reserved in ``origin``.

    ``origin`` is the landing file that they come from; their rollouts are copied. Lands all or
    nothing; levels recorded earlier are unchanged.
    """
    connection.execute(f"attach {sql.literal(origin)} as origin (read_only)")
    try:
        with transaction(connection):
            connection.execute(
                """
                insert into calibration_documents
                from origin.calibration_documents
                on conflict do nothing
                """
            )
            connection.execute(
                """
                insert into rollouts by name
                from origin.rollouts
                semi join calibration_documents using (source_model, doc_id)
                anti join rollouts using (source_model, doc_id, continuation_idx)
                order by source_model, doc_id, continuation_idx
                """
            )
            connection.execute(
                """
                insert into rollout_sources by name
                from origin.rollout_sources
                where source_hash in (select source_hash from rollouts)
                order by source_hash
                on conflict do nothing
                """
            )
            for level in levels:
                connection.execute(
                    """
                    insert into calibration_rounds by name
                    select
                        (select coalesce(max(round_number), 0) + 1 from calibration_rounds)
                            as round_number,
                        $level as calibration_level,
                        $seed as seed,
                        $source_model as source_model,
                        $n_answers as n_answers,
                        $generator_model as generator_model,
                        $answerer_model as answerer_model,
                        $judge_model as judge_model,
                        now() at time zone 'utc' as stated_at,
                    where $level not in (select calibration_level from calibration_rounds)
                    """,
                    {"level": level, **settings},
                )
    finally:
        connection.execute("detach origin")
