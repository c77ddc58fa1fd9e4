"""The queue as a run sees it: what is pending, in the order of asking, and what it may cost."""

from __future__ import annotations

import duckdb
import pyarrow
import pyarrow.compute

from latent_probes import landing, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.providers import Provider


class QueueError(Exception):
    """The queue cannot be read or asked; the message says why and what to do."""


def served_models(connection: duckdb.DuckDBPyConnection, provider: Provider) -> list[str]:
    """The models of pending requests that the provider answers for.

    Raises QueueError if there are others only: what asks for one model is never answered by
    another.
    """
    pending = connection.execute(
        "select distinct model, stage, round_number from warehouse.pending_requests order by all"
    ).fetchall()
    unserved = [row for row in pending if not provider.serves(row[0])]
    if unserved and len(unserved) == len(pending):
        model, stage, round_number = unserved[0]
        raise QueueError(
            f"round {round_number} asks for {model!r} ({stage}), which --provider {provider.name} "
            "does not serve: choose another provider, or write another model into the round's "
            "line of seeds/rounds.csv before it starts"
        )
    for model, stage, round_number in unserved:
        terminal.say(f"left alone: {stage} requests of round {round_number} for {model}")
    return sorted({row[0] for row in pending if row not in unserved})


def requests(
    connection: duckdb.DuckDBPyConnection, provider: Provider, max_cost: float | None
) -> pyarrow.Table:
    """The pending requests that the provider serves, in the order in which they are asked.

    Only the first of them, as far as their longest answers surely fit under ``max_cost``.
    """
    connection.execute(
        """
        create or replace temp table queue as
        select
            pending.*,
            prices.max_usd,
            sum(prices.max_usd) over (
                order by pending.stage_order, pending.round_number, pending.request_id
                rows unbounded preceding
            ) as max_usd_so_far,
        from warehouse.pending_requests as pending
        join warehouse.pending_prices as prices using (request_id)
        where prices.provider = $provider and list_contains($served, pending.model)
        """,
        {"provider": provider.name, "served": served_models(connection, provider)},
    )
    room = None
    if max_cost is not None:
        refuse_unpriced(connection, "select model from queue where max_usd is null")
        room = max_cost - sum(committed(connection))
    return connection.sql(
        """
        from queue
        where ? is null or max_usd_so_far <= ?
        order by stage_order, round_number, request_id
        """,
        params=[room, room],
    ).to_arrow_table()


def next_batch(
    queue: pyarrow.Table, start: int, provider: Provider, taken: set[int]
) -> pyarrow.Table:
    """The requests of ``queue`` from ``start`` on that go into one batch.

    They are of one stage, no more than the provider takes, and as many as no open batch has:
    ``taken`` are the sizes of those. A batch that was not heard of is known by its size.
    """
    rows = queue.slice(start, provider.max_requests)
    if not rows.num_rows:
        return rows
    size = pyarrow.compute.sum(pyarrow.compute.equal(rows["stage"], rows["stage"][0])).as_py()
    while size in taken:
        size -= 1
    return rows.slice(0, size)


def committed(connection: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Dollars that were spent, and that may at worst follow for what is open.

    Raises QueueError if a price is unknown.
    """
    refuse_unpriced(
        connection,
        "select model from warehouse.committed_spend where spent_usd + reserved_usd is null",
    )
    return landing.one(
        connection,
        "select coalesce(sum(spent_usd), 0), coalesce(sum(reserved_usd), 0) "
        "from warehouse.committed_spend",
    )


def refuse_unpriced(connection: duckdb.DuckDBPyConnection, unpriced_models: str) -> None:
    """Raise QueueError if a query for models without a price finds one."""
    unpriced = landing.first(connection, f"{unpriced_models} order by model limit 1")
    if unpriced:
        raise QueueError(
            f"no price is known for {unpriced[0]!r}, so --max-cost cannot be kept: "
            "add a line to seeds/model_prices.csv"
        )


def refuse_over_cost(home: Home, provider: Provider, max_cost: float | None) -> None:
    """Say that the limit of cost is why something was not asked, if it is."""
    if max_cost is None:
        return
    with landing.opened(home.landing) as connection:
        warehouse.attach(home, connection)
        left = requests(connection, provider, None)
        spent, reserved = committed(connection)
    if not left.num_rows:
        return
    next_usd = left["max_usd_so_far"][0].as_py()
    if spent + reserved + next_usd > max_cost:
        raise QueueError(
            f"${spent:.2f} are spent, ${reserved:.2f} may follow for what is on its way, and the "
            f"next request may cost up to ${next_usd:.4f}: over --max-cost {max_cost:.2f}, so "
            f"{left.num_rows:,} requests were not sent"
        )
