"""Land the answers of activation oracles."""

from __future__ import annotations

import duckdb
import pyarrow

from latent_probes.landing.opening import one, transaction


def add_oracle_answers(connection: duckdb.DuckDBPyConnection, answers: pyarrow.Table) -> int:
    """Land answers of a method under a condition; return the number of new ones.

    ``answers`` is an Arrow table with the columns of `oracle_answers` except the time. Lands all
    or nothing; landed rows never change.
    """
    connection.register("incoming_answers", answers)
    try:
        with transaction(connection):
            (added,) = one(
                connection,
                """
                insert into oracle_answers by name
                select *, now() at time zone 'utc' as landed_at
                from incoming_answers
                anti join oracle_answers using (oracle, condition, probe_id, answer_number)
                order by probe_id, answer_number
                """,
            )
    finally:
        connection.unregister("incoming_answers")
    return added


def differing_answers(connection: duckdb.DuckDBPyConnection, answers: pyarrow.Table) -> int:
    """Number of these answers that have landed with another text or other log-probabilities."""
    connection.register("incoming_answers", answers)
    try:
        (found,) = one(
            connection,
            """
            select count(*)
            from incoming_answers as incoming
            join oracle_answers as landed using (oracle, condition, probe_id, answer_number)
            where
                (incoming.answer_hash, incoming.logp_atom, incoming.logp_ipa)
                is distinct from (landed.answer_hash, landed.logp_atom, landed.logp_ipa)
            """,
        )
    finally:
        connection.unregister("incoming_answers")
    return found
