"""Pending requests in the order of asking, and their maximum cost."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pyarrow
import pyarrow.compute

from latent_probes import landing, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.providers import Provider
from latent_probes.providers.lexical import MODEL as LEXICAL
from latent_probes.providers.recorded import BUNDLED_MODEL

# Which model is asked in which stage of which round: now, and to evaluate a method.
PENDING = "select distinct model, stage, round_number from warehouse.pending_requests order by all"
EVALUATING = """
select distinct
    unnest([answerer_model, judge_model]) as model,
    unnest(['answerer', 'judge']) as stage,
    round_number,
from warehouse.round_settings
order by all
"""


class QueueError(Exception):
    """The queue cannot be sent; the message gives the reason and the remedy."""


def served_models(connection: duckdb.DuckDBPyConnection, provider: Provider) -> list[str]:
    """The models of pending requests that the provider serves.

    A request for one model is never answered by another. Raises QueueError if the provider serves
    none of them and has never been asked here.
    """
    pending = connection.execute(PENDING).fetchall()
    unserved = [row for row in pending if not provider.serves(row[0])]
    if len(unserved) == len(pending) and not has_been_asked(connection, provider.name):
        refuse_unserved(connection, provider.name, provider.serves)
    for model, stage, round_number in unserved:
        terminal.say(
            f"skipped {stage} requests of round {round_number}: {provider.name} does not serve "
            f"{model}"
        )
    return sorted({row[0] for row in pending if row not in unserved})


def refuse_unserved(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    serves: Callable[[str], bool],
    *,
    evaluating: bool = False,
) -> None:
    """Raise QueueError if the provider ``name`` serves none of the models that are to be asked.

    These are the models of pending requests or, for an evaluation whose answers have not landed
    yet, all answerers and judges.
    """
    asked = connection.execute(EVALUATING if evaluating else PENDING).fetchall()
    if not asked or any(serves(model) for model, *_ in asked):
        return
    model, stage, round_number = asked[0]
    if model == BUNDLED_MODEL and evaluating:
        remedy = (
            "no service has it, and its recorded answers are to other questions; docs/oracles.md "
            "shows how to evaluate a method at no cost"
        )
    elif model == BUNDLED_MODEL:
        remedy = "no service has it; --provider recorded replays its recorded answers"
    elif model == LEXICAL:
        remedy = "use --provider lexical, the offline baseline"
    elif landing.adopted_set(connection):
        remedy = "choose another provider; the models are those of the adopted data set"
    else:
        remedy = (
            "choose another provider, or change the model in the round's line of seeds/rounds.csv "
            "before the round starts"
        )
    raise QueueError(
        f"round {round_number} asks for {model!r} ({stage}), which --provider {name} does not "
        f"serve: {remedy}"
    )


def has_been_asked(connection: duckdb.DuckDBPyConnection, provider: str) -> bool:
    """Whether a batch was ever meant for the provider."""
    query = "select 1 from batches where provider = ? limit 1"
    return landing.first(connection, query, [provider]) is not None


def requests(
    connection: duckdb.DuckDBPyConnection, provider: Provider, max_cost: float | None
) -> pyarrow.Table:
    """The pending requests that the provider serves, in the order of asking.

    Without those that await the trial of their model, or that the recording is known to lack. With
    ``max_cost``, only the first ones, whose maximum answer lengths fit under it.
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
        left join (
            select request_id, arg_max(body ->> '$.result.recording', attempt) as recording
            from responses
            where outcome = 'not_recorded'
            group by request_id
        ) as lacking using (request_id)
        where
            prices.provider = $provider
            and list_contains($served, pending.model)
            and if(
                $recording is null,
                not pending.awaits_trial,
                lacking.recording is distinct from $recording
            )
        """,
        {
            "provider": provider.name,
            "served": served_models(connection, provider),
            "recording": provider.recording_hash,
        },
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
    """The requests of ``queue``, starting at ``start``, that go into one batch.

    They are of one stage and at most the provider's maximum. Their number differs from the sizes of
    open batches (``taken``), because a batch without a reply is identified by its size.
    """
    rows = queue.slice(start, provider.max_requests)
    if not rows.num_rows:
        return rows
    size = pyarrow.compute.sum(pyarrow.compute.equal(rows["stage"], rows["stage"][0])).as_py()
    while size in taken:
        size -= 1
    return rows.slice(0, size)


def committed(connection: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Dollars spent, and dollars reserved at maximum answer length for what has no known cost.

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
            f"{unpriced[0]!r} has no known price, so --max-cost cannot be enforced: "
            "add a line to seeds/model_prices.csv"
        )


def refuse_over_cost(home: Home, provider: Provider, max_cost: float | None) -> None:
    """Raise QueueError if requests were not sent because of the cost limit."""
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
            f"{left.num_rows:,} requests were not sent: ${spent:.2f} spent, ${reserved:.2f} "
            "reserved for open requests and answers without usage, and up to "
            f"${next_usd:.4f} for the next one would exceed --max-cost {max_cost:.2f}"
        )
