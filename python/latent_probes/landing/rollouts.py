"""Land rollouts from files and samplers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


@dataclass(frozen=True)
class Siblings:
    """The landed continuations of one prefix, by their indices."""

    doc_source: str
    prefix: str
    indices: frozenset[int]


def add_rollouts(connection: duckdb.DuckDBPyConnection) -> int:
    """Land the rows of ``incoming`` with new keys, and their ``incoming_sources``.

    Returns the number of rows. Both are tables of the connection, with the columns of ``rollouts``
    and ``rollout_sources``. Lands all or nothing.
    """
    with transaction(connection):
        (added,) = one(
            connection,
            """
            insert into rollouts by name
            select
                source_model, doc_id, continuation_idx, doc_source, prefix, continuation,
                sampling, source_hash, prefix_tokens, continuation_tokens,
            from incoming
            anti join rollouts using (source_model, doc_id, continuation_idx)
            qualify row_number() over (
                partition by source_model, doc_id, continuation_idx
                order by source_name, source_hash, row_number
            ) = 1
            order by source_name, source_hash, row_number
            """,
        )
        connection.execute(
            """
            insert into rollout_sources by name
            select *, now() at time zone 'utc' as landed_at
            from incoming_sources
            order by source_hash
            on conflict do nothing
            """
        )
    return added


def add_sampled(connection: duckdb.DuckDBPyConnection, source: dict, rows: pyarrow.Table) -> int:
    """Land rollouts of a sampler, and the sampler with the first ones; return the number.

    ``source`` has source_hash, kind, name and details; ``rows`` is an Arrow table with the columns
    of ``rollouts``, source_name and row_number. Lands all or nothing.
    """
    connection.execute(
        """
        create or replace temp table incoming_sources as
        select
            $source_hash::varchar as source_hash, $kind::varchar as kind, $name::varchar as name,
            $details::json as details,
        """,
        source,
    )
    connection.register("incoming", rows)
    try:
        return add_rollouts(connection)
    finally:
        connection.unregister("incoming")


def sources_of(
    connection: duckdb.DuckDBPyConnection, source_model: str
) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, name and details of all sources of a source model's rollouts.

    An adopted data set is one of kind `adopted`: like a file, it does not say which model wrote it.
    """
    rows = connection.execute(
        """
        select kind, name, details
        from (
            select kind, name, details, landed_at, source_hash
            from rollout_sources
            where
                source_hash in (
                    select source_hash from rollouts where rollouts.source_model = $source_model
                )
            union all
            select 'adopted', name, null, landed_at, manifest_sha256
            from adopted_sets
            where $source_model in (select source_model from adopted_siblings)
        )
        order by landed_at, source_hash
        """,
        {"source_model": source_model},
    ).fetchall()
    return [(kind, name, json.loads(details or "{}")) for kind, name, details in rows]


def known_siblings(connection: duckdb.DuckDBPyConnection, source_model: str) -> dict[str, Siblings]:
    """Landed siblings of a source model, by doc_id."""
    rows = connection.execute(
        """
        select doc_id, any_value(doc_source), any_value(prefix), list(continuation_idx)
        from rollouts
        where source_model = $source_model
        group by doc_id
        """,
        {"source_model": source_model},
    ).fetchall()
    return {
        doc_id: Siblings(doc_source, prefix, frozenset(indices))
        for doc_id, doc_source, prefix, indices in rows
    }


def sampled_tokens(
    connection: duckdb.DuckDBPyConnection, keys: list[tuple[str, str, int]]
) -> dict[tuple[str, str, int], tuple[list[int], list[int]]]:
    """Prompt and sampled token ids, if both have landed, by source model, document and index."""
    source_models, doc_ids, indices = map(list, zip(*keys, strict=True))
    rows = connection.execute(
        """
        select source_model, doc_id, continuation_idx, prefix_tokens, continuation_tokens
        from (
            select source_model, doc_id, continuation_idx, prefix_tokens, continuation_tokens
            from rollouts
            union all
            select
                source_model, doc_id, sibling.continuation_idx, prefix_tokens, sibling.tokens,
            from (select *, unnest(continuations) as sibling from adopted_siblings)
        )
        semi join (
            select
                unnest($source_models) as source_model, unnest($doc_ids) as doc_id,
                unnest($indices) as continuation_idx,
        ) as wanted using (source_model, doc_id, continuation_idx)
        where prefix_tokens is not null and continuation_tokens is not null
        """,
        {"source_models": source_models, "doc_ids": doc_ids, "indices": indices},
    ).fetchall()
    return {tuple(key): (prefix, continuation) for *key, prefix, continuation in rows}
