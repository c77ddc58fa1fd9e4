"""Drain the queue: read what is pending, render, hand it to a provider, land what comes back.

Every step may be killed at any moment and run again. The order is always the same: the body file
is on the disk, then the intent is committed, then the batch is handed in, then its id is
committed, then the results are on the disk, then they are landed.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path

import duckdb
import filelock
import pyarrow

from latent_probes import files, landing, rendering, terminal, warehouse
from latent_probes.home import Home
from latent_probes.providers import Provider, ProviderError, RefusedError, Request

LANDED_AT_ONCE = 10_000


class RunError(Exception):
    """The queue cannot be drained; the message says why and what to do."""


def run(home: Home, provider: Provider, *, once: bool, max_cost: float | None) -> None:
    """Ask everything that should be asked, until nothing is pending.

    With ``once``: land what has ended, submit what is pending, and leave. Stops with RunError
    before what was spent, with all that is open answered at full length, could go over
    ``max_cost`` dollars. Raises RunError if another run is at work.
    """
    with locked(home):
        settle(home, provider)
        collect(home, provider)
        warehouse.build(home, tested=False)
        warehouse.test_queue(home)
        while True:
            n_submitted = submit(home, provider, max_cost)
            if once:
                break
            n_landed = collect(home, provider)
            if n_landed:
                warehouse.build_queue(home)
            elif n_open(home):
                time.sleep(provider.poll_seconds)
            elif not n_submitted:
                break
        warehouse.build(home, tested=not once)


def n_open(home: Home) -> int:
    """How many batches are on their way."""
    with landing.opened(home.landing) as connection:
        return len(landing.open_batches(connection))


@contextmanager
def locked(home: Home):
    """Keep a second run out; a killed one lets go by itself."""
    try:
        with filelock.FileLock(home.lock, timeout=0):
            yield
    except filelock.Timeout:
        raise RunError(
            f"another run holds {home.lock}: wait for it, or stop it; nothing was sent"
        ) from None


def settle(home: Home, provider: Provider) -> None:
    """Find out about batches that were intended, but whose submission was not heard of."""
    with landing.opened(home.landing) as connection:
        batches = landing.open_batches(connection)
    refuse_other_providers(batches, provider)
    wanted = {batch["body_hash"] for batch in batches}
    for path in home.batches.glob("*.jsonl"):
        # Written before an intent that was never committed, or landed and not yet swept.
        if path.name.split(".")[0] not in wanted:
            path.unlink()
    for batch in batches:
        if batch["state"] == "intended":
            body_hash = batch["body_hash"]
            found = provider.find(body_hash, batch["n_requests"])
            if found:
                with landing.opened(home.landing) as connection:
                    landing.submitted(connection, batch["batch_id"], found)
            else:
                hand_in(home, provider, body_hash)


def refuse_other_providers(batches: list[dict], provider: Provider) -> None:
    """Batches that another provider holds must be landed by it."""
    for batch in batches:
        if batch["provider"] != provider.name:
            raise RunError(
                f"a batch of {batch['n_requests']} requests is open at {batch['provider']}: "
                f"land it first with `latent-probes run --provider {batch['provider']}`"
            )


def collect(home: Home, provider: Provider) -> int:
    """Land every submitted batch that has ended; return how many requests were in them."""
    with landing.opened(home.landing) as connection:
        open_batches = {
            batch["provider_batch_id"]: batch
            for batch in landing.open_batches(connection)
            if batch["state"] == "submitted"
        }
    if not open_batches:
        return 0
    # A kill after the download finds the results here; the provider may have forgotten them.
    ended = {
        provider_batch_id
        for provider_batch_id, batch in open_batches.items()
        if results_file(home, batch).exists()
    } | {
        known.provider_batch_id
        for known in provider.list()
        if known.has_ended and known.provider_batch_id in open_batches
    }
    n_landed = 0
    for provider_batch_id in sorted(ended):
        batch = open_batches[provider_batch_id]
        results = results_file(home, batch)
        if not results.exists():
            provider.download(provider_batch_id, results)
        with landing.opened(home.landing) as connection:
            with terminal.progress("landing", batch["n_requests"], "responses") as advance:
                stage_results(connection, provider, results, advance)
            landing.add_responses(connection, batch["batch_id"])
        (home.batches / f"{batch['body_hash']}.jsonl").unlink(missing_ok=True)
        results.unlink()
        n_landed += batch["n_requests"]
    return n_landed


def results_file(home: Home, batch: dict) -> Path:
    """Where the results of a batch are downloaded to."""
    return home.batches / f"{batch['body_hash']}.results.jsonl"


def stage_results(connection, provider: Provider, results, advance) -> None:
    """Read a file of results into the table ``results``."""
    connection.execute(
        "create or replace temp table results "
        "(request_id varchar, attempt bigint, outcome varchar, body varchar)"
    )
    rows = provider.parse(results)
    while chunk := [row for _, row in zip(range(LANDED_AT_ONCE), rows, strict=False)]:
        names = [row.custom_id.rpartition("-") for row in chunk]
        read = pyarrow.table(
            {
                "request_id": [name[0] for name in names],
                "attempt": [int(name[2]) for name in names],
                "outcome": [row.outcome for row in chunk],
                # A lone surrogate cannot be stored; the rest of the message can.
                "body": [row.body.encode(errors="replace").decode() for row in chunk],
            }
        )
        connection.register("read", read)
        # The first result of an attempt counts, should a file hold two.
        connection.execute(
            """
            insert into results
            from read
            anti join results using (request_id, attempt)
            qualify row_number() over (partition by request_id, attempt) = 1
            """
        )
        connection.unregister("read")
        advance(len(chunk))


def submit(home: Home, provider: Provider, max_cost: float | None) -> int:
    """Hand in everything that is pending, batch by batch; return how many requests."""
    n_submitted = 0
    while True:
        with landing.opened(home.landing) as connection:
            attach_warehouse(home, connection)
            if not n_submitted:
                refuse_unserved(connection, provider)
            batch = intend(home, connection, provider, max_cost)
        if batch is None:
            return n_submitted
        hand_in(home, provider, batch["body_hash"])
        n_submitted += batch["n_requests"]


def attach_warehouse(home: Home, connection) -> None:
    """Attach the warehouse for reading, waiting while another process writes it."""
    path = str(home.warehouse).replace("'", "''")
    deadline = time.monotonic() + landing.LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute(f"attach '{path}' as warehouse (read_only)")
            return
        except duckdb.IOException as error:
            if time.monotonic() > deadline:
                raise RunError(
                    f"{home.warehouse} is held by another process; end it and run again. {error}"
                ) from error
            time.sleep(0.2)


def refuse_unserved(connection, provider: Provider) -> None:
    """A round that asks for one model is never answered by another."""
    pending = connection.execute(
        "select distinct model, stage, round_number from warehouse.pending_requests order by all"
    ).fetchall()
    unserved = [row for row in pending if not provider.serves(row[0])]
    if unserved and len(unserved) == len(pending):
        model, stage, round_number = unserved[0]
        raise RunError(
            f"round {round_number} asks for {model!r} ({stage}), which --provider {provider.name} "
            "does not serve: choose another provider, or write another model into the round's "
            "line of seeds/rounds.csv before it starts"
        )
    for model, stage, round_number in unserved:
        terminal.say(f"left alone: {stage} requests of round {round_number} for {model}")


def intend(home: Home, connection, provider: Provider, max_cost: float | None) -> dict | None:
    """Write the next body file and commit the intent to send it; None if nothing is pending."""
    served = [
        model
        for (model,) in connection.execute(
            "select distinct model from warehouse.pending_requests"
        ).fetchall()
        if provider.serves(model)
    ]
    connection.execute(
        """
        create or replace temp table chosen as
        select * from warehouse.pending_requests
        where list_contains($served, model)
        order by stage_order, round_number, request_id
        limit $most
        """,
        {"served": served, "most": provider.max_requests},
    )
    first = landing.first(connection, "select stage, count(*) over () from chosen limit 1")
    if first is None:
        return None
    stage, n_chosen = first
    connection.execute("delete from chosen where stage != ?", [stage])
    with terminal.progress(f"writing {stage} requests", n_chosen, "requests") as advance:
        sent: list[tuple[str, str | None]] = []
        lines = encoded_requests(connection, provider, stage, sent, advance)
        body_hash = files.write_by_hash(home.batches, lines)
    connection.register(
        "sent",
        pyarrow.table(
            {
                "request_id": pyarrow.array([row[0] for row in sent], pyarrow.string()),
                "unit_map": pyarrow.array([row[1] for row in sent], pyarrow.string()),
            }
        ),
    )
    connection.execute(
        """
        create or replace temp table intended as
        select chosen.*, ? as prompt_hash, sent.unit_map
        from chosen
        join sent using (request_id)
        order by chosen.request_id
        """,
        [rendering.prompt_hash(stage)],
    )
    refuse_over_cost(connection, provider, max_cost)
    (n_requests,) = landing.first(connection, "select count(*) from intended")
    batch = {
        "batch_id": body_hash,
        "provider": provider.name,
        "body_hash": body_hash,
        "n_requests": n_requests,
    }
    try:
        landing.intend(connection, batch, "warehouse")
    except duckdb.ConstraintException as error:
        raise RunError(
            "a pending request is already open or answered in the landing file; nothing was sent. "
            f"Delete the warehouse file and run again; if it stays, report it. {error}"
        ) from error
    return batch


def encoded_requests(connection, provider: Provider, stage: str, sent: list, advance):
    """The lines of the next body file, up to the size that the provider takes.

    Fills ``sent`` with the id and unit map of the requests that found room.
    """
    connection.execute(
        f"""
        select inputs.*, chosen.attempt, chosen.model, chosen.max_tokens, chosen.thinking_tokens
        from chosen
        join warehouse.{stage}_inputs as inputs using (request_id)
        order by chosen.request_id
        """
    )
    names = [column[0] for column in connection.description]
    n_bytes = 0
    is_full = False
    # Read to the end even when full: the connection wants it before its next statement.
    while rows := connection.fetchmany(256):
        for values in rows:
            if is_full:
                continue
            row = dict(zip(names, values, strict=True))
            request_id = row.pop("request_id")
            request = Request(
                custom_id=f"{request_id}-{row.pop('attempt')}",
                stage=stage,
                model=row.pop("model"),
                max_tokens=row.pop("max_tokens"),
                thinking_tokens=row.pop("thinking_tokens"),
                prompt=rendering.render(stage, row),
            )
            line = provider.encode(request)
            n_bytes += len(line.encode()) + 1
            is_full = bool(sent) and n_bytes > provider.max_bytes
            if not is_full:
                sent.append((request_id, row.get("unit_map")))
                advance(1)
                yield line


def refuse_over_cost(connection, provider: Provider, max_cost: float | None) -> None:
    """Stop before the next batch could lead over the limit, at whatever length it is answered."""
    if max_cost is None:
        return
    connection.execute(
        """
        create or replace temp table intended_prices as
        select model, most_usd
        from intended
        left join (
            select request_id, most_usd from warehouse.pending_prices where provider = ?
        ) using (request_id)
        """,
        [provider.name],
    )
    (unpriced,) = landing.first(
        connection,
        """
        select any_value(model) from (
            select model from intended_prices where most_usd is null
            union all
            select model from warehouse.commitments where spent_usd + reserved_usd is null
        )
        """,
    )
    if unpriced:
        raise RunError(
            f"no price is known for {unpriced!r}, so --max-cost cannot be kept: "
            "add a line to seeds/model_prices.csv"
        )
    (spent, reserved, most) = landing.first(
        connection,
        """
        select
            coalesce(sum(spent_usd), 0),
            coalesce(sum(reserved_usd), 0),
            (select sum(most_usd) from intended_prices),
        from warehouse.commitments
        """,
    )
    if spent + reserved + most > max_cost:
        raise RunError(
            f"${spent:.2f} are spent, ${reserved:.2f} may follow for what is on its way, and the "
            f"next batch may cost up to ${most:.2f}: over --max-cost {max_cost:.2f}, so it was "
            "not sent"
        )


def hand_in(home: Home, provider: Provider, body_hash: str) -> None:
    """Hand in a batch whose intent is committed, and record its id."""
    body = home.batches / f"{body_hash}.jsonl"
    try:
        if not body.exists():
            raise RefusedError(f"its body file {body} is gone")
        provider_batch_id = provider.submit(body)
    except RefusedError as error:
        with landing.opened(home.landing) as connection:
            landing.release(connection, body_hash)
        raise ProviderError(f"{provider.name} refused a batch: {error}") from error
    with landing.opened(home.landing) as connection:
        landing.submitted(connection, body_hash, provider_batch_id)
