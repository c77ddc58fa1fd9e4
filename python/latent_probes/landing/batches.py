"""Record batches and their attempts, from the intent to their current state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from latent_probes.landing.opening import transaction


@dataclass(frozen=True)
class Batch:
    """An open batch, as recorded in the landing file."""

    batch_id: str
    provider: str
    n_requests: int
    mark_id: str | None
    mark_created_at: datetime | None
    n_sends: int
    was_adopted: bool
    provider_batch_id: str | None
    state: str
    submitted_at: datetime | None

    @property
    def submitted_id(self) -> str:
        """The id under which the provider has it. A batch that is submitted has one."""
        assert self.provider_batch_id is not None
        return self.provider_batch_id


def intend(connection: duckdb.DuckDBPyConnection, batch: dict, warehouse: str) -> None:
    """Commit the intent to send a batch, and the settings it freezes, before anything is sent.

    ``batch`` has batch_id, provider, n_requests, mark_id and mark_created_at. The table
    ``intended`` contains its attempts, with a ``fault`` if one could not be encoded: that one
    is answered with the fault, the others are sent. ``warehouse`` is the name under which the
    warehouse is attached. Raises duckdb.ConstraintException, and changes nothing, if one of the
    requests is already open or answered.
    """
    with transaction(connection):
        # An answer that the warehouse found unusable passes its claim on; an open one never does.
        connection.execute(
            """
            update claims
            set attempt = intended.attempt
            from intended
            where
                intended.request_id = claims.request_id
                and intended.attempt > claims.attempt
                and intended.fault is null
                and exists (
                    from responses
                    where
                        responses.request_id = claims.request_id
                        and responses.attempt = claims.attempt
                )
            """
        )
        connection.execute(
            f"""
            insert into started_rounds by name
            select
                round_number, n_docs, seed, source_model, calibration_level, n_answers,
                generator_model, answerer_model, judge_model, language, tokenizer,
                siblings_shown, min_siblings, typical_siblings, min_sentences_beside_split,
                max_neighbours, position_tolerance, complement_characters,
                further_siblings, further_characters, min_atom_words,
                now() at time zone 'utc' as started_at,
            from {warehouse}.round_settings
            where
                round_number in (select round_number from intended)
                and round_number not in (select round_number from started_rounds)
                -- Of an adopted round, everything has landed.
                and round_number not in (select round_number from adopted_rounds)
            """
        )
        # The number of answers can only increase later: sent requests are kept.
        connection.execute(
            f"""
            update started_rounds
            set n_answers = settings.n_answers
            from {warehouse}.round_settings as settings
            where
                settings.round_number = started_rounds.round_number
                and settings.round_number in (select round_number from intended)
                and settings.n_answers > started_rounds.n_answers
            """
        )
        connection.execute(
            f"""
            insert into started_round_documents by name
            select
                round_number, doc_id, continuation_idxs, kept_lengths, further_idxs,
                further_lengths, further_kept_lengths,
            from {warehouse}.round_documents
            where
                round_number in (select round_number from intended)
                and round_number not in (select round_number from started_round_documents)
                and round_number not in (select round_number from adopted_rounds)
            order by round_number, doc_id
            """
        )
        connection.execute(
            "insert into claims select request_id, attempt from intended "
            "anti join claims using (request_id, attempt) where fault is null"
        )
        connection.execute(
            """
            insert into requests by name
            select
                request_id, attempt, $batch_id as batch_id, stage, round_number, model,
                prompt_hash, input_hash, shown_hash, settings, unit_map,
            from intended
            """,
            {"batch_id": batch["batch_id"]},
        )
        connection.execute(
            """
            insert into responses by name
            select
                request_id, attempt, 'errored' as outcome, fault as body,
                now() at time zone 'utc' as landed_at,
            from intended
            where fault is not null
            order by request_id
            """
        )
        connection.execute(
            """
            insert into batches
            values (
                $batch_id, $provider, $n_requests, $mark_id, $mark_created_at, 0, false, null,
                -- Nothing is sent of a batch in which nothing could be encoded.
                if($n_requests = 0, 'released', 'intended'), now() at time zone 'utc', null, null
            )
            """,
            batch,
        )
        unfreeze_rounds(connection)


def sending(connection: duckdb.DuckDBPyConnection, batch_id: str) -> None:
    """Record that a batch is about to be sent: afterwards the provider may have it."""
    connection.execute("update batches set n_sends = n_sends + 1 where batch_id = ?", [batch_id])


def refused(connection: duckdb.DuckDBPyConnection, batch_id: str) -> None:
    """Record that the last submission of a batch was refused, so it can be sent again."""
    connection.execute("update batches set n_sends = n_sends - 1 where batch_id = ?", [batch_id])


def submitted(
    connection: duckdb.DuckDBPyConnection,
    batch_id: str,
    provider_batch_id: str,
    *,
    was_adopted: bool = False,
) -> None:
    """Record the provider's id of a batch."""
    connection.execute(
        """
        update batches
        set
            state = 'submitted',
            provider_batch_id = $provider_batch_id,
            was_adopted = $was_adopted,
            submitted_at = now() at time zone 'utc'
        where batch_id = $batch_id and state = 'intended'
        """,
        {
            "batch_id": batch_id,
            "provider_batch_id": provider_batch_id,
            "was_adopted": was_adopted,
        },
    )


def disown(
    connection: duckdb.DuckDBPyConnection, batch_id: str, provider_batch_id: str, reason: str
) -> None:
    """Record that a batch of the provider is not ours.

    A batch that had adopted it is intended again. The right one may be among those that were taken
    for its copies, so these can be adopted again.
    """
    with transaction(connection):
        if reason == "foreign":
            connection.execute(
                "delete from disowned_batches where batch_id = ? and reason = 'surplus'",
                [batch_id],
            )
        connection.execute(
            "insert into disowned_batches values (?, ?, ?, now() at time zone 'utc') "
            "on conflict do nothing",
            [provider_batch_id, batch_id, reason],
        )
        connection.execute(
            """
            update batches
            set
                state = 'intended', provider_batch_id = null, was_adopted = false,
                submitted_at = null
            where batch_id = ? and provider_batch_id = ?
            """,
            [batch_id, provider_batch_id],
        )


def release(connection: duckdb.DuckDBPyConnection, batch_id: str) -> None:
    """Release the claims of a batch that was certainly never accepted.

    A round without any other sent request is no longer frozen.
    """
    with transaction(connection):
        connection.execute(
            """
            delete from claims using requests
            where
                claims.request_id = requests.request_id
                and claims.attempt = requests.attempt
                and requests.batch_id = ?
            """,
            [batch_id],
        )
        connection.execute("update batches set state = 'released' where batch_id = ?", [batch_id])
        unfreeze_rounds(connection)


def unfreeze_rounds(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the frozen settings of rounds without any sent request."""
    for table in ("started_rounds", "started_round_documents"):
        connection.execute(
            f"""
            delete from {table}
            where round_number not in (
                select round_number
                from requests
                join batches using (batch_id)
                where batches.state != 'released'
            )
            """
        )


def open_batches(connection: duckdb.DuckDBPyConnection) -> list[Batch]:
    """Batches that are intended or submitted, oldest first."""
    rows = connection.execute(
        """
        select
            batch_id, provider, n_requests, mark_id, mark_created_at, n_sends, was_adopted,
            provider_batch_id, state, submitted_at,
        from batches
        where state in ('intended', 'submitted')
        order by intended_at, batch_id
        """
    ).fetchall()
    return [Batch(*row) for row in rows]


def known_ids(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The provider's ids of all known batches, used or disowned."""
    rows = connection.execute(
        """
        select provider_batch_id from batches where provider_batch_id is not null
        union
        select provider_batch_id from disowned_batches
        """
    ).fetchall()
    return {provider_batch_id for (provider_batch_id,) in rows}


def add_token_counts(
    connection: duckdb.DuckDBPyConnection, counts: list[tuple[str, str, str, int]]
) -> None:
    """Land a provider's token counts: request_id, model, prompt_hash, input tokens."""
    with transaction(connection):
        connection.executemany(
            "insert or replace into token_counts values (?, ?, ?, ?, now() at time zone 'utc')",
            counts,
        )
