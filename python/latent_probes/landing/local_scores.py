"""Land the scores of local models."""

from __future__ import annotations

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


def known_scores(connection: duckdb.DuckDBPyConnection, reader_hash: str) -> pyarrow.Table:
    """What a local model has scored: an Arrow table of probe_id, form and input_hash."""
    return connection.sql(
        "select probe_id, form, input_hash from local_scores where reader_hash = ?",
        params=[reader_hash],
    ).to_arrow_table()


def add_scores(connection: duckdb.DuckDBPyConnection, reader: dict, scores: pyarrow.Table) -> int:
    """Land scores of a local model, and its ``readers`` row with the first ones; return the number.

    ``reader`` has the columns of ``readers``, ``scores`` is an Arrow table with those of
    ``local_scores``, both without landed_at. Lands all or nothing; landed rows never change.
    """
    connection.register("incoming_scores", scores)
    try:
        with transaction(connection):
            connection.execute(
                """
                insert into readers by name
                select
                    $reader_hash::varchar as reader_hash, $model::varchar as model,
                    $model_revision::varchar as model_revision,
                    $tokenizer::varchar as tokenizer, $dtype::varchar as dtype,
                    $template_hash::varchar as template_hash, $settings::json as settings,
                    now() at time zone 'utc' as landed_at,
                on conflict do nothing
                """,
                reader,
            )
            (added,) = one(
                connection,
                """
                insert into local_scores by name
                select *, now() at time zone 'utc' as landed_at
                from incoming_scores
                anti join local_scores using (reader_hash, probe_id, form, input_hash)
                """,
            )
    finally:
        connection.unregister("incoming_scores")
    return added
