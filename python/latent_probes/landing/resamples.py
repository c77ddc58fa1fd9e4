"""Land resampled continuations from splits."""

from __future__ import annotations

import json

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


def known_resamples(connection: duckdb.DuckDBPyConnection, source_model: str) -> pyarrow.Table:
    """Landed resamples of a source model: an Arrow table of prefix_hash and continuation_idx."""
    return connection.sql(
        "select prefix_hash, continuation_idx from resamples where source_model = ?",
        params=[source_model],
    ).to_arrow_table()


def resample_settings(connection: duckdb.DuckDBPyConnection, source_model: str) -> list[dict]:
    """The settings of all samplers from which resamples of a source model have landed."""
    rows = connection.execute(
        """
        select details -> 'settings'
        from rollout_sources
        where
            source_hash in (
                select source_hash from resamples where resamples.source_model = ?
            )
        order by source_hash
        """,
        [source_model],
    ).fetchall()
    return [json.loads(settings) for (settings,) in rows]


def add_resamples(
    connection: duckdb.DuckDBPyConnection, source: dict, resamples: pyarrow.Table
) -> int:
    """Land resampled continuations, and their sampler with the first ones; return the number.

    ``source`` has the columns of ``rollout_sources`` except n_rows and landed_at, ``resamples`` is
    an Arrow table with those of ``resamples``. Lands all or nothing; landed rows never change.
    """
    connection.register("incoming_resamples", resamples)
    try:
        with transaction(connection):
            connection.execute(
                """
                insert into rollout_sources by name
                select
                    $source_hash::varchar as source_hash, $kind::varchar as kind,
                    $name::varchar as name, $details::json as details,
                    now() at time zone 'utc' as landed_at,
                on conflict do nothing
                """,
                source,
            )
            (added,) = one(
                connection,
                """
                insert into resamples by name
                select *
                from incoming_resamples
                anti join resamples using (source_model, prefix_hash, continuation_idx)
                order by prefix_hash, continuation_idx
                """,
            )
    finally:
        connection.unregister("incoming_resamples")
    return added


def sampling_settings(connection: duckdb.DuckDBPyConnection, source_model: str) -> list[tuple]:
    """Distinct combinations of temperature, top_p, top_k and min_p of a source model's rollouts.

    In an adopted home, of the continuations that are published with its documents.

    As the texts that were landed; unknown settings are null.
    """
    return connection.execute(
        """
        select distinct
            sampling ->> 'temperature',
            sampling ->> 'top_p',
            sampling ->> 'top_k',
            sampling ->> 'min_p',
        from (
            select source_model, sampling
            from rollouts
            union all
            select source_model, unnest(continuations).sampling::json
            from adopted_siblings
        )
        where source_model = $source_model
        order by all
        """,
        {"source_model": source_model},
    ).fetchall()
