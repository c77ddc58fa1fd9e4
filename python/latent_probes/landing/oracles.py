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


def oracle_runs(connection: duckdb.DuckDBPyConnection, oracle: str) -> list[tuple[str, str, str]]:
    """Condition, hash and settings of each run of a method by ``ask-oracle``."""
    return connection.execute(
        "select condition, settings_hash, settings from oracle_runs where oracle = ? order by all",
        [oracle],
    ).fetchall()


def answer_sources(connection: duckdb.DuckDBPyConnection, oracle: str) -> set[str]:
    """Hashes of the files, or of the runs by ``ask-oracle``, whose answers a method has landed."""
    found = connection.execute(
        "select distinct file_hash from oracle_answers where oracle = ?", [oracle]
    ).fetchall()
    return {file_hash for (file_hash,) in found}


def answered_by(
    connection: duckdb.DuckDBPyConnection, oracle: str, condition: str
) -> pyarrow.Table:
    """What a method has answered under a condition: an Arrow table of probe_id and file_hash."""
    return connection.sql(
        """
        select distinct probe_id, file_hash
        from oracle_answers
        where oracle = $oracle and condition = $condition
        """,
        params={"oracle": oracle, "condition": condition},
    ).to_arrow_table()


def add_asked(
    connection: duckdb.DuckDBPyConnection,
    run: dict,
    answers: pyarrow.Table,
    ranks: pyarrow.Table,
) -> int:
    """Land answers of ``ask-oracle`` with their run; return the number of new answers.

    ``run`` has the columns of `oracle_runs`, the tables those of `oracle_answers` and
    `oracle_token_ranks`, without the time. Lands all or nothing; landed rows never change.
    """
    connection.register("incoming_answers", answers)
    connection.register("incoming_ranks", ranks)
    try:
        with transaction(connection):
            connection.execute(
                """
                insert into oracle_runs by name
                select
                    $oracle::varchar as oracle, $condition::varchar as condition,
                    $settings_hash::varchar as settings_hash, $settings::json as settings,
                    $environment::json as environment, now() at time zone 'utc' as landed_at,
                on conflict do nothing
                """,
                run,
            )
            connection.execute(
                """
                insert into oracle_token_ranks by name
                select incoming_ranks.*
                from incoming_ranks
                anti join oracle_token_ranks using (oracle, condition, probe_id, layer)
                """
            )
            (added,) = one(
                connection,
                """
                insert into oracle_answers by name
                select incoming_answers.*, now() at time zone 'utc' as landed_at
                from incoming_answers
                anti join oracle_answers using (oracle, condition, probe_id, answer_number)
                order by probe_id
                """,
            )
    finally:
        connection.unregister("incoming_answers")
        connection.unregister("incoming_ranks")
    return added
