"""Drain the queue: read what is pending, render, hand it to a provider, land what comes back.

Every step may be killed at any moment and run again; ``batches`` says how. What may be asked, and
what it costs, is for the warehouse to say.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import duckdb
import filelock
import pyarrow

from latent_probes import batches, files, landing, rendering, terminal, warehouse
from latent_probes.home import Home
from latent_probes.providers import (
    EncodingError,
    ListedBatch,
    Provider,
    Request,
    UnreachableError,
)

# Requests of each stage and model whose tokens are counted for a plan.
COUNTED_AT_MOST = 20


class RunError(Exception):
    """The queue cannot be drained; the message says why and what to do."""


def run(home: Home, provider: Provider, *, once: bool, max_cost: float | None) -> None:
    """Ask everything that should be asked, until nothing is pending.

    With ``once``: land what has ended, submit what is pending, and leave. Nothing is sent that
    could, with all that was sent before, cost more than ``max_cost`` dollars; RunError says so
    when nothing else is left to do. Raises RunError if another run is at work.
    """
    with locked(home):
        refuse_other_providers(home, provider)
        batches.settle(home, provider, patient=not once)
        batches.collect(home, provider)
        warehouse.build(home, tested=False)
        warehouse.test_queue(home)
        while True:
            n_submitted = submit(home, provider, max_cost, patient=not once)
            if once:
                break
            if collect(home, provider):
                warehouse.build_queue(home)
            elif batches.open_at(home):
                time.sleep(provider.poll_seconds)
                # A batch that turned out to be somebody else's: ours is looked for again.
                batches.settle(home, provider, patient=True)
            elif not n_submitted:
                break
        warehouse.build(home, tested=not once)
        refuse_over_cost(home, provider, max_cost)


def collect(home: Home, provider: Provider) -> int:
    """Land what has ended; a provider that is not to be heard is asked again later."""
    try:
        return batches.collect(home, provider)
    except UnreachableError as error:
        terminal.say(f"{provider.name} is not to be heard ({error}); trying again")
        return 0


def count(home: Home, provider: Provider) -> None:
    """Have the provider count the tokens of some pending requests of each stage and model."""
    counts = []
    with locked(home):
        with landing.opened(home.landing) as connection:
            attach_warehouse(home, connection)
            lines = sampled_lines(connection, provider)
        with terminal.progress("counting", len(lines), "requests") as advance:
            for request_id, model, prompt_hash, line in lines:
                counts.append((request_id, model, prompt_hash, provider.count(line)))
                advance(1)
        if counts:
            with landing.opened(home.landing) as connection:
                landing.add_token_counts(connection, counts)


def sampled_lines(connection, provider: Provider) -> list[tuple[str, str, str, bytes]]:
    """Encoded pending requests: request_id, model, prompt_hash, line. Ids are hashes, so the
    first ones are a sample.
    """
    lines = []
    served = served_models(connection, provider)
    for stage in rendering.STAGES:
        connection.execute(
            """
            create or replace temp table chosen as
            select *, row_number() over (order by model, request_id) as place
            from warehouse.pending_requests
            where stage = $stage and list_contains($served, model)
            qualify row_number() over (partition by model order by request_id) <= $most
            """,
            {"stage": stage, "served": served, "most": COUNTED_AT_MOST},
        )
        models = dict(connection.execute("select request_id, model from chosen").fetchall())
        sent: list[tuple[str, str | None, str | None]] = []
        encoded = list(
            encoded_requests(connection, provider, stage, set(), sent, lambda more: None)
        )
        ids = [request_id for request_id, _, fault in sent if fault is None]
        prompt_hash = rendering.prompt_hash(stage)
        lines += [
            (request_id, models[request_id], prompt_hash, line)
            for request_id, line in zip(ids, encoded, strict=True)
        ]
    return lines


def cancel(home: Home, create_provider) -> None:
    """Cancel every batch that is on its way; ``create_provider`` makes one from its name.

    What was answered by then still lands, with the next run or here.
    """
    with locked(home):
        open_batches = batches.open_at(home)
        for batch in open_batches:
            batches.cancel(home, create_provider(batch.provider), batch)
        for name in sorted({batch.provider for batch in open_batches}):
            batches.collect(home, create_provider(name))


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


def refuse_other_providers(home: Home, provider: Provider) -> None:
    """Batches that another provider holds must be landed by it."""
    for batch in batches.open_at(home):
        if batch.provider != provider.name:
            raise RunError(
                f"a batch of {batch.n_requests:,} requests is open at {batch.provider}: land it "
                f"first with `latent-probes run --provider {batch.provider}`, or stop it with "
                "`latent-probes cancel`"
            )


def submit(home: Home, provider: Provider, max_cost: float | None, *, patient: bool) -> int:
    """Hand in everything that is pending, batch by batch; return how many requests."""
    n_submitted = 0
    while True:
        mark = next(iter(provider.list()), None)
        with landing.opened(home.landing) as connection:
            attach_warehouse(home, connection)
            batch = intend(home, connection, provider, mark, max_cost)
        if batch is None:
            return n_submitted
        if batch["n_requests"]:
            batches.hand_in(home, provider, batch["batch_id"], patient=patient)
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


def served_models(connection, provider: Provider) -> list[str]:
    """The models of pending requests that the provider answers for.

    Raises RunError if there are others only: what asks for one model is never answered by
    another.
    """
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
    return sorted({row[0] for row in pending if row not in unserved})


def intend(
    home: Home,
    connection,
    provider: Provider,
    mark: ListedBatch | None,
    max_cost: float | None,
) -> dict | None:
    """Write the next body file and commit the intent to send it; None if nothing can be sent.

    ``mark`` is the newest batch that the provider lists.
    """
    choose(connection, provider, max_cost)
    first = landing.first(connection, "select stage, count(*) over () from chosen limit 1")
    if first is None:
        return None
    stage, n_chosen = first
    taken = {batch.n_requests for batch in landing.open_batches(connection)}
    with terminal.progress(f"writing {stage} requests", n_chosen, "requests") as advance:
        sent: list[tuple[str, str | None, str | None]] = []
        lines = encoded_requests(connection, provider, stage, taken, sent, advance)
        body_hash = files.write_by_hash(home.batches, lines)
    connection.register(
        "sent",
        pyarrow.table(
            {
                name: pyarrow.array([row[place] for row in sent], pyarrow.string())
                for place, name in enumerate(("request_id", "unit_map", "fault"))
            }
        ),
    )
    connection.execute(
        """
        create or replace temp table intended as
        select chosen.*, ? as prompt_hash, sent.unit_map, sent.fault
        from chosen
        join sent using (request_id)
        order by chosen.request_id
        """,
        [rendering.prompt_hash(stage)],
    )
    batch = {
        "batch_id": body_hash,
        "provider": provider.name,
        "n_requests": sum(fault is None for _, _, fault in sent),
        "mark_id": mark and mark.provider_batch_id,
        "mark_created_at": mark and mark.created_at,
    }
    try:
        landing.intend(connection, batch, "warehouse")
    except duckdb.ConstraintException as error:
        raise RunError(
            "a pending request is already open or answered in the landing file; nothing was sent. "
            f"Delete the warehouse file and run again; if it stays, report it. {error}"
        ) from error
    return batch


def choose(connection, provider: Provider, max_cost: float | None) -> None:
    """Fill the table ``chosen`` with the requests of the next batch.

    They are of one stage, and no more than the provider takes, than the limit of cost allows at
    worst, and than makes a batch whose size no open batch has: a batch that was not heard of is
    known by its size.
    """
    connection.execute(
        """
        create or replace temp table chosen as
        select
            pending.*,
            row_number() over queue as place,
            sum(prices.most_usd) over queue as most_usd_so_far,
        from warehouse.pending_requests as pending
        join warehouse.pending_prices as prices using (request_id)
        where prices.provider = $provider and list_contains($served, pending.model)
        window queue as (
            order by pending.stage_order, pending.round_number, pending.request_id
            rows unbounded preceding
        )
        qualify pending.stage = first_value(pending.stage) over queue
        order by place
        limit $most
        """,
        {
            "provider": provider.name,
            "served": served_models(connection, provider),
            "most": provider.max_requests,
        },
    )
    if max_cost is not None:
        connection.execute(
            "delete from chosen where most_usd_so_far > ?", [max_cost - sum(committed(connection))]
        )
    (size,) = landing.first(connection, "select count(*) from chosen")
    taken = {batch.n_requests for batch in landing.open_batches(connection)}
    while size in taken:
        size -= 1
    connection.execute("delete from chosen where place > ?", [size])


def encoded_requests(
    connection, provider: Provider, stage: str, taken: set[int], sent: list, advance
):
    """The lines of the next body file, up to the size that the provider takes.

    Their number is none of ``taken``, where a few more bytes can make it so. Fills ``sent``
    with the id and unit map of the requests that found room, and with what is wrong with those
    that cannot be written.
    """
    connection.execute(
        f"""
        select
            inputs.*, chosen.attempt, chosen.model, chosen.max_tokens, chosen.thinking,
            chosen.thinking_tokens, chosen.is_structured,
        from chosen
        join warehouse.{stage}_inputs as inputs using (request_id)
        order by chosen.place
        """
    )
    names = [column[0] for column in connection.description]
    schema = rendering.schema(stage)
    n_bytes = n_lines = 0
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
                thinking=row.pop("thinking"),
                thinking_tokens=row.pop("thinking_tokens"),
                schema=schema if row.pop("is_structured") else None,
                prompt=rendering.render(stage, row),
            )
            try:
                line = provider.encode(request)
            except EncodingError as error:
                sent.append((request_id, row.get("unit_map"), fault(request, error)))
                continue
            n_bytes += len(line) + 1
            is_full = n_lines > 0 and n_bytes > provider.max_bytes and n_lines not in taken
            if not is_full:
                n_lines += 1
                sent.append((request_id, row.get("unit_map"), None))
                advance(1)
                yield line


def fault(request: Request, error: EncodingError) -> str:
    """The result of a request that was never sent, in the form of a provider's."""
    return json.dumps(
        {
            "custom_id": request.custom_id,
            "result": {
                "type": "errored",
                "error": {
                    "type": "error",
                    "error": {"type": "encoding_error", "message": str(error)},
                },
            },
        }
    )


def committed(connection) -> tuple[float, float]:
    """Dollars that were spent, and that may at worst follow for what is open.

    Raises RunError if a price is unknown.
    """
    (unpriced,) = landing.first(
        connection,
        """
        select any_value(model) from (
            select model from chosen where most_usd_so_far is null
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
    return landing.first(
        connection,
        "select coalesce(sum(spent_usd), 0), coalesce(sum(reserved_usd), 0) "
        "from warehouse.commitments",
    )


def refuse_over_cost(home: Home, provider: Provider, max_cost: float | None) -> None:
    """Say that the limit of cost is why something was not asked, if it is."""
    if max_cost is None:
        return
    with landing.opened(home.landing) as connection:
        attach_warehouse(home, connection)
        choose(connection, provider, None)
        (n_pending,) = landing.first(connection, "select count(*) from warehouse.pending_requests")
        next_usd = landing.first(connection, "select most_usd_so_far from chosen where place = 1")
        spent, reserved = committed(connection)
    if next_usd and spent + reserved + next_usd[0] > max_cost:
        raise RunError(
            f"${spent:.2f} are spent, ${reserved:.2f} may follow for what is on its way, and the "
            f"next request may cost up to ${next_usd[0]:.4f}: over --max-cost {max_cost:.2f}, so "
            f"{n_pending:,} requests were not sent"
        )
