"""Land rollouts."""

from __future__ import annotations

from latent_probes.landing.opening import first, transaction


def add_rollouts(connection) -> int:
    """Land the rows of the table ``incoming`` whose keys are new; return how many."""
    with transaction(connection):
        (added,) = first(
            connection,
            """
            insert into rollouts
            select
                source_model, doc_id, continuation_idx, doc_source, prefix, continuation,
                sampling, file_hash,
            from incoming
            anti join rollouts using (source_model, doc_id, continuation_idx)
            qualify row_number() over (
                partition by source_model, doc_id, continuation_idx
                order by file_name, file_hash, row_number
            ) = 1
            order by file_name, file_hash, row_number
            """,
        )
        if added:
            connection.execute(
                """
                insert into landed_files
                select
                    incoming.file_hash,
                    min(file_name),
                    count(*),
                    (select count(*) from rollouts where file_hash = incoming.file_hash),
                    now() at time zone 'utc',
                from incoming
                group by incoming.file_hash
                order by incoming.file_hash
                on conflict do nothing
                """
            )
    return added
