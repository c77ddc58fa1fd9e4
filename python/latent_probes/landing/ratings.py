"""Land human ratings of answers."""

from __future__ import annotations

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


def add_ratings(connection: duckdb.DuckDBPyConnection, ratings: pyarrow.Table) -> int:
    """Land the scores of a human rater; return the number of new ones.

    ``ratings`` is an Arrow table of rater, answer_request_id, answer_hash, score and file_hash.
    Lands all or nothing; landed rows never change.
    """
    connection.register("incoming_ratings", ratings)
    try:
        with transaction(connection):
            (added,) = one(
                connection,
                """
                insert into human_ratings
                select
                    rater, answer_request_id, answer_hash, score, file_hash,
                    now() at time zone 'utc',
                from incoming_ratings
                anti join human_ratings using (rater, answer_request_id)
                order by answer_request_id
                """,
            )
    finally:
        connection.unregister("incoming_ratings")
    return added


def differing_ratings(
    connection: duckdb.DuckDBPyConnection, ratings: pyarrow.Table
) -> list[tuple[int, str]]:
    """Row number and answer of each rating that landed with another score or of another text.

    ``ratings`` has the columns of ``add_ratings`` and row_number.
    """
    connection.register("incoming_ratings", ratings)
    try:
        return connection.execute(
            """
            select incoming.row_number, answer_request_id
            from incoming_ratings as incoming
            join human_ratings as landed using (rater, answer_request_id)
            where (incoming.answer_hash, incoming.score) != (landed.answer_hash, landed.score)
            order by incoming.row_number
            """
        ).fetchall()
    finally:
        connection.unregister("incoming_ratings")
