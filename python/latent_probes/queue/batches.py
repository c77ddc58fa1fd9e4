"""The life of a batch, from the committed intent to the landed answers.

Provider APIs have no idempotency keys and no labels, and the reply to a submission can be lost. To
lose nothing and pay for nothing twice:

1. Before anything is sent, the body is on disk and the intent, with its request ids, is committed.
   The intent records the newest batch that the provider listed before: its mark.
2. A batch is sent without retries. A clear refusal means that it was not accepted. After any other
   failure, including a kill, it is unknown whether it was.
3. Unknown batches are settled before anything else is sent: a batch newer than the mark with
   exactly the same number of requests is ours, because open batches have distinct sizes. If there
   are several, they are copies: the oldest is adopted, the others are canceled. Only if none
   appears within the settle window is the batch sent again.
4. Results are downloaded completely and checked against the intent and the provider's counts before
   they land in one transaction. An adopted batch whose results are not ours, in several downloads
   in a row, is disowned, and the intent is unknown again.

No loop is endless: a batch is sent at most ``MOST_SENDS`` times in a run, results are downloaded at
most ``MOST_DOWNLOADS`` times, and a batch that should have ended long ago is an error. If results
are gone, the requests land as missing; where that cannot be known, the user decides: ``give_up``.

Limits: a batch that the provider accepts later than the settle window is paid twice, until the copy
is seen and canceled. A batch that another user sends in the same workspace, after the mark, with
exactly the same number of requests, while ours is unknown, is taken for ours until its results
arrive, or canceled as a copy: use a separate workspace for this project.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from latent_probes import landing
from latent_probes.common import connections, files, limits, sql, terminal
from latent_probes.common.home import Home
from latent_probes.landing import Batch
from latent_probes.providers import (
    ListedBatch,
    Provider,
    ProviderError,
    RefusedError,
    ResultsGoneError,
    StrangeResponseError,
    UnreachableError,
)

# Clocks of one service can differ by this much.
CLOCK_SKEW = timedelta(seconds=60)
LONGEST_WAIT_SECONDS = 600.0
MOST_SENDS = 8
MOST_DOWNLOADS = 6
# Of so many downloads in a row, no result is ours: one alone can be damaged.
FOREIGN_DOWNLOADS = 3
# Transient errors of a request; any other error that most of a batch has stops the run.
PASSING_ERRORS = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
FEW_ERRORS = 10


def open_at(home: Home) -> list[Batch]:
    """The open batches."""
    with landing.looked_at(home.landing) as connection:
        return landing.open_batches(connection)


def body_file(home: Home, batch_id: str) -> Path:
    """Path of a batch's requests."""
    return home.batches / f"{batch_id}.jsonl"


def results_file(home: Home, batch_id: str) -> Path:
    """Path of a batch's results, once they are known to be complete."""
    return home.batches / f"{batch_id}.results.jsonl"


# Submitting ----------------------------------------------------------------------------------


def settle(home: Home, provider: Provider, *, patient: bool) -> None:
    """Find out whether intended batches were accepted, and send those that were not."""
    open_batches = open_at(home)
    wanted = {batch.batch_id for batch in open_batches}
    for path in home.batches.glob("*.jsonl*"):
        # Left by an intent that was never committed, or landed but not yet deleted.
        if path.name.split(".")[0] not in wanted:
            path.unlink()
    for batch in open_batches:
        if batch.state == "intended":
            hand_in(home, provider, batch.batch_id, patient=patient)


def hand_in(home: Home, provider: Provider, batch_id: str, *, patient: bool) -> None:
    """Submit an intended batch exactly once, with as many tries as needed.

    ``patient``: wait while the provider is busy instead of raising RefusedError. Raises
    ProviderError if the batch was refused, and releases it. Raises ProviderError if the provider
    never confirms it, and leaves the batch unknown.
    """
    n_unheard = n_strange = 0
    deadline = time.monotonic() + limits.OUTAGE_SECONDS
    while True:
        (batch,) = [batch for batch in open_at(home) if batch.batch_id == batch_id]
        if batch.n_sends and adopt(home, provider, batch):
            return
        if n_unheard > 1:
            # The longer it lasts, the likelier is a copy that is listed late.
            terminal.wait(
                provider.settle_seconds * 2 ** (n_unheard - 2),
                f"waiting before a batch is sent to {provider.name} again",
            )
        try:
            send(home, provider, batch_id)
            return
        except RefusedError as error:
            wait_for(home, provider, batch_id, error, patient and time.monotonic() < deadline)
        except UnreachableError as error:
            n_unheard += 1
            n_strange += isinstance(error, StrangeResponseError)
            if n_unheard == MOST_SENDS or n_strange == limits.STRANGE_RESPONSES:
                raise ProviderError(
                    f"{provider.name} did not accept a batch of {batch.n_requests:,} requests: "
                    f"{error}; run again later, which first checks whether it was accepted"
                ) from None
            terminal.say(
                f"no reply from {provider.name} ({error}); checking whether it accepted the batch"
            )


def send(home: Home, provider: Provider, batch_id: str) -> None:
    """Send a batch and record its id; or record that it was refused, and raise RefusedError."""
    body = body_file(home, batch_id)
    if not body.exists():
        raise RefusedError(f"body file {body} is missing")
    with landing.opened(home.landing) as connection:
        landing.sending(connection, batch_id)
    try:
        provider_batch_id = provider.submit(body)
    except RefusedError:
        with landing.opened(home.landing) as connection:
            landing.refused(connection, batch_id)
        raise
    with landing.opened(home.landing) as connection:
        landing.submitted(connection, batch_id, provider_batch_id)


def wait_for(
    home: Home, provider: Provider, batch_id: str, error: RefusedError, patient: bool
) -> None:
    """Wait until a busy provider may accept a batch; release the batch if it will not.

    If an earlier submission had no reply, the batch stays unknown and the next run checks again.
    """
    # A wait of 0 counts as not given.
    seconds = error.wait_seconds or provider.poll_seconds
    if error.can_wait and patient and seconds <= LONGEST_WAIT_SECONDS:
        terminal.say(f"{provider.name} is busy ({error}); trying again in {seconds:,.0f} seconds")
        time.sleep(seconds)
        return
    (batch,) = [batch for batch in open_at(home) if batch.batch_id == batch_id]
    if not batch.n_sends:
        with landing.opened(home.landing) as connection:
            landing.release(connection, batch_id)
    raise ProviderError(f"{provider.name} refused a batch: {error}") from None


# Settling ------------------------------------------------------------------------------------


def adopt(home: Home, provider: Provider, batch: Batch) -> bool:
    """Adopt a batch whose submission had no reply; False if it was certainly not accepted."""
    deadline = time.monotonic() + provider.settle_seconds
    while True:
        is_last_look = time.monotonic() >= deadline
        try:
            candidates = sorted(
                unknown_copies(home, provider, batch),
                key=lambda listed: (listed.created_at, listed.provider_batch_id),
            )
        except UnreachableError:
            if is_last_look:
                raise
            candidates = []
        if candidates:
            for surplus in candidates[1:]:
                cancel_surplus(home, provider, batch, surplus)
            with landing.opened(home.landing) as connection:
                landing.submitted(
                    connection, batch.batch_id, candidates[0].provider_batch_id, was_adopted=True
                )
            return True
        if is_last_look:
            return False
        time.sleep(min(provider.settle_seconds / 10, max(0.0, deadline - time.monotonic())))


def unknown_copies(home: Home, provider: Provider, batch: Batch) -> list[ListedBatch]:
    """Unknown batches in the provider's list that are newer than a batch's mark and of its size."""
    with landing.opened(home.landing) as connection:
        known = landing.known_ids(connection)
    return [
        listed
        for listed in newer_than_mark(provider, batch)
        if listed.provider_batch_id not in known and listed.n_requests == batch.n_requests
    ]


def newer_than_mark(provider: Provider, batch: Batch) -> Iterator[ListedBatch]:
    """Batches that the provider accepted since a batch was intended, newest first."""
    for listed in provider.list():
        if listed.provider_batch_id == batch.mark_id:
            # Continue: a batch accepted just after the mark can be listed just after it.
            continue
        if batch.mark_created_at and listed.created_at < batch.mark_created_at - CLOCK_SKEW:
            return
        yield listed


def cancel_surplus(home: Home, provider: Provider, batch: Batch, surplus: ListedBatch) -> None:
    """Cancel a second copy of a batch, and ignore it from now on."""
    provider.cancel(surplus.provider_batch_id)
    with landing.opened(home.landing) as connection:
        landing.disown(connection, batch.batch_id, surplus.provider_batch_id, "surplus")
    terminal.say(
        f"canceled {surplus.provider_batch_id}, a second copy of {batch.n_requests:,} requests: "
        "requests answered by now are billed, but not included in `spend`"
    )


# Collecting ----------------------------------------------------------------------------------


def collect(home: Home, provider: Provider) -> int:
    """Land every submitted batch that has ended; return the number of their requests.

    Raises ProviderError, after everything else has landed, if the provider does not list a batch,
    if its results cannot be had, or if it should have ended long ago.
    """
    batches = {batch.provider_batch_id: batch for batch in open_at(home) if batch.provider_batch_id}
    if not batches:
        return 0
    for batch in batches.values():
        # A batch that was sent again: the first one can appear after the settle window.
        if batch.n_sends > 1:
            for surplus in unknown_copies(home, provider, batch):
                cancel_surplus(home, provider, batch, surplus)
    n_landed = 0
    errors: list[ProviderError] = []
    unseen = dict(batches)
    for listed in provider.list():
        known = unseen.pop(listed.provider_batch_id, None)
        if known and listed.has_ended:
            try:
                n_landed += land_results(home, provider, known, listed)
            except ProviderError as error:
                if isinstance(error, UnreachableError) and not is_strange(error):
                    raise
                errors.append(error)
        elif known and (endless := endless_error(provider, known, listed)):
            errors.append(endless)
        if not unseen:
            break
    # Left by a process that was killed after the download.
    kept = [batch for batch in unseen.values() if results_file(home, batch.batch_id).exists()]
    n_landed += sum(land_results(home, provider, batch, None) for batch in kept)
    for batch in unseen.values():
        if batch not in kept and age_of(batch) > provider.settle_seconds:
            errors.append(
                ProviderError(
                    f"{provider.name} does not list {batch.submitted_id}, a batch of "
                    f"{batch.n_requests:,} requests: check that the key belongs to the workspace "
                    f"that sent it. The batch is still open here. {way_out(batch)}"
                )
            )
    if errors:
        raise min(errors, key=is_strange)
    return n_landed


def is_strange(error: ProviderError) -> bool:
    """Whether an error is about a response that might be right a moment later."""
    return isinstance(error, StrangeResponseError)


def endless_error(provider: Provider, batch: Batch, listed: ListedBatch) -> ProviderError | None:
    """The error for a batch that might never end; None if it is only running."""
    if listed.is_strange:
        return StrangeResponseError(
            f"{provider.name} lists {batch.submitted_id} with a status that its API does not have: "
            f"{listed.state}. {way_out(batch)}"
        )
    if age_of(batch) > limits.BATCH_SECONDS:
        return ProviderError(
            f"{provider.name} still lists {batch.submitted_id} as {listed.state}, "
            f"{age_of(batch) / 3600:,.0f} hours after it was sent, although batches end within 24 "
            f"hours: stop it with `latent-probes cancel`. {way_out(batch)}"
        )
    return None


def way_out(batch: Batch) -> str:
    """What to do about a batch whose answers will never come."""
    name = batch.provider_batch_id or batch.batch_id
    return (
        f"If its answers are lost for good, `latent-probes cancel --give-up {name}` lets its "
        "requests be asked, and billed, again"
    )


def age_of(batch: Batch) -> float:
    """Seconds since a batch was submitted."""
    assert batch.submitted_at is not None
    return (datetime.now(UTC).replace(tzinfo=None) - batch.submitted_at).total_seconds()


def land_results(home: Home, provider: Provider, batch: Batch, listed: ListedBatch | None) -> int:
    """Download, check and land the results of a batch; return its number of requests.

    Returns 0 if the results belong to another user's batch.
    """
    results = results_file(home, batch.batch_id)
    if not results.exists():
        try:
            if not fetch(home, provider, batch, listed):
                return 0
        except ResultsGoneError as error:
            terminal.say(
                f"the results of {batch.submitted_id} are gone ({error}): its "
                f"{batch.n_requests:,} requests land as missing and can be asked again"
            )
            land_nothing(home, batch, provider.message_sql)
            return batch.n_requests
    with landing.opened(home.landing) as connection:
        landing.stage_results(connection, results)
        counts = landing.staged_counts(connection, batch.batch_id)
        landing.add_responses(connection, batch.batch_id, provider.message_sql)
        dominant = dominant_error(connection, batch)
    provider.forget(batch.submitted_id)
    body_file(home, batch.batch_id).unlink(missing_ok=True)
    results.unlink()
    terminal.say(f"landed {batch.n_requests:,} requests: {described(counts)}")
    if dominant:
        raise ProviderError(dominant)
    return batch.n_requests


def land_nothing(home: Home, batch: Batch, message_sql: str) -> None:
    """Close a batch without results: its requests land as missing."""
    with landing.opened(home.landing) as connection:
        landing.stage_results(connection, None)
        landing.add_responses(connection, batch.batch_id, message_sql)
    for path in (body_file(home, batch.batch_id), results_file(home, batch.batch_id)):
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.part").unlink(missing_ok=True)


def fetch(home: Home, provider: Provider, batch: Batch, listed: ListedBatch | None) -> bool:
    """Download the results of a batch until they are complete; False if they are another user's.

    Results that are missing at first can appear later, since the provider keeps what was paid for.
    Only after many tries are the available results taken as all, and after some, those of an
    adopted batch as another user's.
    """
    results = results_file(home, batch.batch_id)
    partial = results.with_name(f"{results.name}.part")
    n_foreign = 0
    for n_downloads in range(1, MOST_DOWNLOADS + 1):
        try:
            provider.download(batch.submitted_id, partial)
        except ProviderError as error:
            is_final = type(error) in (ProviderError, StrangeResponseError)
            if provider.asks_when_collected or not is_final:
                raise
            raise type(error)(
                f"the results of {batch.submitted_id} cannot be downloaded: {error}. "
                f"{way_out(batch)}"
            ) from None
        with landing.opened(home.landing) as connection:
            landing.stage_results(connection, partial)
            counts = landing.staged_counts(connection, batch.batch_id)
            fault = fault_of(batch, listed, counts)
            is_foreign = bool(fault) and landing.results_are_foreign(connection, batch.batch_id)
            # What cannot be read says nothing of whose it is.
            n_foreign = 0 if set(counts) - {"stray"} else n_foreign + is_foreign
            is_disowned = batch.was_adopted and n_foreign == FOREIGN_DOWNLOADS
            if is_disowned:
                landing.disown(connection, batch.batch_id, batch.submitted_id, "foreign")
        if not fault:
            break
        terminal.say(f"{batch.provider_batch_id}: {fault}")
        if is_disowned:
            return False
        if n_downloads < MOST_DOWNLOADS:
            terminal.wait(
                provider.poll_seconds * 2 ** (n_downloads - 1), "downloading the results again soon"
            )
    else:
        if not set(counts) - {"stray"}:
            raise ProviderError(
                f"the results of {batch.provider_batch_id} do not belong to the submitted batch: "
                f"{fault}; nothing landed. They begin with: {beginning_of(partial)}. "
                f"{way_out(batch)}"
            )
        terminal.say(
            f"{batch.provider_batch_id}: results still incomplete after all retries ({fault}); "
            "landing what is available"
        )
    files.replace(partial, results)
    return True


def beginning_of(path: Path) -> str:
    """The beginning of a file of results, for an error."""
    with path.open("rb") as file:
        return connections.shown(file.read(limits.SHOWN_CHARACTERS)) or "nothing"


def fault_of(batch: Batch, listed: ListedBatch | None, counts: dict[str, int]) -> str | None:
    """What is wrong with downloaded results; None if nothing is."""
    if counts.get("stray"):
        return f"{counts['stray']:,} lines are unreadable, repeated or not ours"
    n_results = sum(counts.values())
    if n_results != batch.n_requests:
        return f"{n_results:,} results for {batch.n_requests:,} requests"
    if listed and listed.counts is not None:
        for outcome, n_counted in listed.counts.items():
            n_found = counts.get(outcome, 0)
            if n_found != n_counted:
                name = terminal.shortened(outcome)
                return f"{n_found:,} results are {name}, but the provider counts {n_counted:,}"
    return None


def dominant_error(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str | None:
    """The permanent error that most requests of a batch have, if any."""
    thinks = sql.macro("thinks_by_schema", "requests.settings")
    refusal = sql.macro("schema_refusal", "body")
    error, n_errors, n_attempts, has_success = landing.one(
        connection,
        f"""
        with errors as (
            select
                body ->> '$.result.error.error.type' as type,
                body ->> '$.result.error.error.message' as message,
            from responses
            join requests using (request_id, attempt)
            where
                requests.batch_id = $batch_id
                and responses.outcome = 'errored'
                -- These are asked again without the schema.
                and not ({thinks} and {refusal} is not null)
        ),
        counted as (
            select concat_ws(': ', type, message) as error, count(*) as n_errors
            from errors
            where coalesce(type, '') not in (select unnest($passing))
            group by all
        )
        select
            max_by(error, n_errors),
            coalesce(max(n_errors), 0),
            -- Includes requests that could not be encoded and were never sent.
            (select count(*) from requests where batch_id = $batch_id),
            exists (
                from responses
                join requests as others using (request_id, attempt)
                where
                    outcome = 'succeeded'
                    and others.model in (select model from requests where batch_id = $batch_id)
            ),
        from counted
        """,
        {"batch_id": batch.batch_id, "passing": list(PASSING_ERRORS)},
    )
    if n_errors * 2 <= n_attempts or (n_errors < FEW_ERRORS and has_success):
        return None
    return (
        f"{n_errors:,} of {n_attempts:,} requests failed with the same error: "
        f"{connections.shown(error)}. "
        "Fix the cause and run again; these requests will be retried up to max_attempts times"
    )


def described(counts: dict[str, int]) -> str:
    """Counts of outcomes as text, most frequent first."""
    most_frequent = sorted(counts.items(), key=lambda item: -item[1])
    return terminal.shortened(", ".join(f"{n:,} {outcome}" for outcome, n in most_frequent))


# Canceling -----------------------------------------------------------------------------------


def cancel(home: Home, provider: Provider, batch: Batch) -> None:
    """Cancel a batch at the provider, or release it if it was never accepted."""
    if batch.state == "intended" and not (batch.n_sends and adopt(home, provider, batch)):
        with landing.opened(home.landing) as connection:
            landing.release(connection, batch.batch_id)
        return
    (batch,) = [known for known in open_at(home) if known.batch_id == batch.batch_id]
    provider.cancel(batch.submitted_id)


def give_up(home: Home, batch: Batch) -> None:
    """Close a batch whose answers will never come: its requests land as missing."""
    land_nothing(home, batch, landing.MESSAGES_API)
    terminal.say(
        f"gave up {batch.provider_batch_id or batch.batch_id}: its {batch.n_requests:,} requests "
        "landed as missing and can be asked again. The provider may have billed them"
    )
