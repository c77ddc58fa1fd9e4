"""Land marks of probes by human raters."""

from __future__ import annotations

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


def add_marks(connection: duckdb.DuckDBPyConnection, marks: pyarrow.Table) -> int:
    """Land the marks of a rater; return the number of those that are new or changed.

    ``marks`` is an Arrow table of rater, probe_id, question_hash, mark, note and file_hash, with at
    most one row per probe. Lands all or nothing; a changed mark is another row, and so is the
    withdrawal of a landed one, which has neither mark nor note.
    """
    connection.register("incoming_marks", marks)
    try:
        with transaction(connection):
            (added,) = one(
                connection,
                """
                insert into probe_marks
                select
                    incoming.rater, incoming.probe_id, coalesce(newest.revision, 0) + 1,
                    incoming.question_hash, incoming.mark, incoming.note, incoming.file_hash,
                    now() at time zone 'utc',
                from incoming_marks as incoming
                left join (
                    from probe_marks
                    qualify
                        row_number() over (partition by rater, probe_id order by revision desc) = 1
                ) as newest using (rater, probe_id)
                where
                    (newest.question_hash, newest.mark, newest.note)
                    is distinct from (incoming.question_hash, incoming.mark, incoming.note)
                    and coalesce(newest.probe_id, incoming.mark, incoming.note) is not null
                order by incoming.probe_id
                """,
            )
    finally:
        connection.unregister("incoming_marks")
    return added
