"""Land rollouts."""

from __future__ import annotations

from latent_probes.landing.opening import first, transaction


def add_rollouts(connection) -> int:
    """Land the rows of ``incoming`` whose keys are new, and their ``incoming_sources``.

    Returns how many. Both are tables of the connection, of the columns of ``rollouts`` and
    ``rollout_sources``; all lands, or nothing.
    """
    with transaction(connection):
        (added,) = first(
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
