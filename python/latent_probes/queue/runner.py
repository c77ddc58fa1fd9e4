"""Drain the queue: read pending requests, render them, submit them, land the results.

Every step can be killed and rerun at any time; see ``batches``. Which requests to ask, and their
cost, comes from the warehouse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow

from latent_probes import landing, providers, warehouse
from latent_probes.common import files, limits, terminal
from latent_probes.common.home import Home, locked
from latent_probes.providers import (
    ListedBatch,
    Provider,
    ProviderError,
    StrangeResponseError,
    UnreachableError,
)
from latent_probes.queue import batches, bodies, pending, rendering, trials


class RunError(Exception):
    """The queue cannot be drained; the message gives the reason and the remedy."""


def answer_pending(home: Home, provider: Provider, *, once: bool, max_cost: float | None) -> None:
    """Send all pending requests and land the answers until the queue is empty.

    With ``once``: land finished batches, submit pending requests, and return. Sends nothing that
    could bring total spend above ``max_cost`` dollars; raises QueueError if this limit is all that
    is left. Raises UnusableError if the first answers of a model cannot be used, and HomeError if
    another command is using the home.
    """
    with locked(home), named(provider):
        refuse_other_providers(home, provider)
        warehouse.build_before_run(home)
        refuse_without_documents(home)
        warehouse.test_queue(home)
        refuse_open_cost(home, provider, max_cost)
        watch = trials.Watch(home)
        has_landed = False
        patience = Patience(provider.name)
        while True:
            try:
                # Unknown batches are settled before anything else is sent.
                batches.settle(home, provider, patient=not once)
                n_landed = batches.collect(home, provider)
                if n_landed or has_landed:
                    warehouse.build_queue(home)
                    watch.look()
                has_landed = False
                n_submitted = submit(home, provider, max_cost, patient=not once)
            except UnreachableError as error:
                if once:
                    raise
                # Something may have landed before the provider became unreachable.
                has_landed = True
                patience.use(error)
                terminal.wait(
                    provider.poll_seconds,
                    f"{provider.name} is unreachable ({error}); retrying",
                )
                continue
            patience = Patience(provider.name)
            if once:
                break
            if n_landed or n_submitted:
                continue
            open_batches = batches.open_at(home)
            if not open_batches:
                break
            n_requests = sum(batch.n_requests for batch in open_batches)
            terminal.wait(
                provider.poll_seconds,
                f"waiting for {provider.name}: {n_requests:,} requests in "
                f"{len(open_batches):,} batches; Ctrl-C leaves them running",
            )
        warehouse.build(home, tested=False)
        pending.refuse_over_cost(home, provider, max_cost)


class Patience:
    """How long a run waits for a provider that is unreachable, or whose responses are strange."""

    def __init__(self, name: str):
        self.name = name
        self.started_at: float | None = None
        self.n_strange = 0

    def use(self, error: UnreachableError) -> None:
        """Note a failure since the last success. Raises ProviderError if it is the last."""
        self.started_at = self.started_at or time.monotonic()
        self.n_strange += isinstance(error, StrangeResponseError)
        if self.n_strange == limits.STRANGE_RESPONSES:
            raise ProviderError(
                f"{self.name} gave {self.n_strange} responses that are not from its API: {error}. "
                "Open batches are kept: fix the cause and run again"
            )
        if time.monotonic() - self.started_at > limits.OUTAGE_SECONDS:
            raise ProviderError(
                f"{self.name} was unreachable for {limits.OUTAGE_SECONDS / 3600:,.0f} hours "
                f"({error}). Open batches are kept: run again later"
            )


@contextmanager
def named(provider: Provider) -> Iterator[None]:
    """Let every error of a provider begin with its name, and every outage end with a remedy."""
    try:
        yield
    except ProviderError as error:
        name = "" if provider.name in str(error) else f"{provider.name}: "
        remedy = "; run again later" if type(error) is UnreachableError else ""
        error.args = (f"{name}{error}{remedy}",)
        raise


def count_tokens(home: Home, provider: Provider) -> None:
    """Count the tokens of a sample of pending requests with the provider."""
    counts = []
    with locked(home), named(provider):
        with landing.opened(home.landing) as connection:
            warehouse.attach(home, connection)
            lines = bodies.sampled(connection, provider)
        with terminal.progress("counting", len(lines), "requests") as advance:
            for request_id, model, prompt_hash, line in lines:
                counts.append((request_id, model, prompt_hash, provider.count(line)))
                advance(1)
        if counts:
            with landing.opened(home.landing) as connection:
                landing.add_token_counts(connection, counts)


def cancel_batches(
    home: Home, create_provider: Callable[[str], Provider], given_up: Collection[str] = ()
) -> None:
    """Cancel all open batches; ``create_provider`` creates a provider from its name.

    Answers completed by then still land, here or in the next run. Batches in ``given_up`` (ids of
    the provider, or of a batch that it never confirmed) are closed even if the provider does not
    answer. Raises ProviderError, after everything else, if a batch cannot be canceled or landed.
    """
    with locked(home):
        open_batches = batches.open_at(home)
        names = [batch.provider_batch_id or batch.batch_id for batch in open_batches]
        if unknown := sorted(set(given_up) - {*names, *(batch.batch_id for batch in open_batches)}):
            raise RunError(f"no open batch {unknown[0]} (open: {', '.join(names) or 'none'})")
        errors: dict[str, str] = {}
        for batch in open_batches:
            try:
                batches.cancel(home, create_provider(batch.provider), batch)
            except ProviderError as error:
                errors[batch.provider_batch_id or batch.batch_id] = str(error)
        for name in sorted({batch.provider for batch in open_batches}):
            try:
                batches.collect(home, create_provider(name))
            except ProviderError as error:
                errors[name] = str(error)
        for batch in batches.open_at(home):
            if {batch.provider_batch_id, batch.batch_id} & set(given_up):
                batches.give_up(home, batch)
                errors.pop(batch.provider_batch_id or batch.batch_id, None)
                errors.pop(batch.provider, None)
        if errors:
            raise ProviderError(
                "not all batches are canceled and landed: "
                + "; ".join(f"{name}: {error}" for name, error in errors.items())
            )


def refuse_to_evaluate(home: Home, name: str) -> None:
    """Raise QueueError, before answers land, if a provider serves no answerer and no judge."""
    refuse_provider(home, name, evaluating=True)


def refuse_to_ask(home: Home, name: str) -> None:
    """Raise QueueError if a provider serves none of the models that are to be asked now."""
    warehouse.build(home, tested=False)
    refuse_provider(home, name, evaluating=False)


def refuse_provider(home: Home, name: str, *, evaluating: bool) -> None:
    """Raise QueueError if a provider serves none of the models, where that is known of it."""
    serves = providers.known_to_serve(name)
    if serves is None:
        return
    with landing.opened(home.landing) as connection:
        if not pending.has_been_asked(connection, name):
            warehouse.attach(home, connection)
            pending.refuse_unserved(connection, name, serves, evaluating=evaluating)


def refuse_other_providers(home: Home, provider: Provider) -> None:
    """Raise if a batch is open at another provider, which must land it first."""
    for batch in batches.open_at(home):
        if batch.provider != provider.name:
            raise RunError(
                f"a batch of {batch.n_requests:,} requests is open at {batch.provider}: land it "
                f"first with `latent-probes run --provider {batch.provider}`, or stop it with "
                "`latent-probes cancel`"
            )


def refuse_without_documents(home: Home) -> None:
    """Raise if there are rounds, but no document of any: there would be nothing to ask."""
    with warehouse.opened(home) as connection:
        ((models, n_documents),) = connection.execute(
            """
            select
                (
                    select string_agg(distinct source_model, ', ' order by source_model)
                    from round_settings
                    where state != 'withdrawn'
                ),
                (select count(*) from round_documents)
            """
        ).fetchall()
    if models and not n_documents:
        raise RunError(
            f"no round has documents in {home.folder}: land eligible rollouts of {models} there, "
            "correct source_model in seeds/rounds.csv, or set LATENT_PROBES_HOME to the home that "
            "you mean; `latent-probes plan` has the numbers"
        )


def refuse_open_cost(home: Home, provider: Provider, max_cost: float | None) -> None:
    """Raise if batches intended under a higher limit would exceed this one."""
    unsent = [
        batch
        for batch in batches.open_at(home)
        if provider.asks_when_collected or batch.state == "intended"
    ]
    if max_cost is None or not unsent:
        return
    with landing.opened(home.landing) as connection:
        warehouse.attach(home, connection)
        spent, reserved = pending.committed(connection)
    if spent + reserved > max_cost:
        raise RunError(
            f"${spent:.2f} spent and ${reserved:.2f} reserved for batches prepared under another "
            f"limit exceed --max-cost {max_cost:.2f}. Raise the limit, or drop the batches with "
            "`latent-probes cancel`"
        )


def submit(home: Home, provider: Provider, max_cost: float | None, *, patient: bool) -> int:
    """Submit all pending requests, batch by batch; return their number."""
    with landing.opened(home.landing) as connection:
        warehouse.attach(home, connection)
        requests = pending.requests(connection, provider, max_cost)
    start = n_submitted = 0
    while start < requests.num_rows:
        mark = next(iter(provider.list()), None)
        with landing.opened(home.landing) as connection:
            warehouse.attach(home, connection)
            taken = {batch.n_requests for batch in landing.open_batches(connection)}
            chosen = pending.next_batch(requests, start, provider, taken)
            if not chosen.num_rows:
                break
            batch_id, sent = intend(home, connection, provider, mark, chosen, taken)
        if sent.n_lines:
            batches.hand_in(home, provider, batch_id, patient=patient)
        start += len(sent.request_ids)
        n_submitted += sent.n_lines
    return n_submitted


def intend(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    provider: Provider,
    mark: ListedBatch | None,
    chosen: pyarrow.Table,
    taken: set[int],
) -> tuple[str, bodies.Sent]:
    """Write a body file with the first of ``chosen``, and commit the intent to send it.

    Returns the batch's id and its requests. ``mark`` is the newest batch in the provider's list,
    ``taken`` are the sizes of open batches.
    """
    stage = chosen["stage"][0].as_py()
    sent = bodies.Sent()
    with terminal.progress(f"writing {stage} requests", chosen.num_rows, "requests") as advance:
        lines = bodies.encoded(connection, provider, chosen, taken, sent, advance)
        batch_id = files.write_by_hash(home.batches, lines)
    if not sent.n_lines:
        # All empty bodies have one hash.
        batch_id = f"{sent.request_ids[0]}-{chosen['attempt'][0]}"
    connection.register("sent", sent.table())
    connection.execute(
        """
        create or replace temp table intended as
        select
            chosen.*,
            ? as prompt_hash,
            sent.shown_hash,
            json_object(
                'max_tokens', max_tokens,
                'thinking', thinking,
                'thinking_tokens', thinking_tokens,
                'is_structured', is_structured
            ) as settings,
            sent.unit_map,
            sent.fault,
        from chosen
        join sent using (request_id)
        order by chosen.request_id
        """,
        [rendering.prompt_hash(stage)],
    )
    batch = {
        "batch_id": batch_id,
        "provider": provider.name,
        "n_requests": sent.n_lines,
        "mark_id": mark and mark.provider_batch_id,
        "mark_created_at": mark and mark.created_at,
    }
    try:
        landing.intend(connection, batch, "warehouse")
    except duckdb.ConstraintException as error:
        raise RunError(
            "a pending request is already open or answered in the landing file; nothing was sent. "
            f"Delete the warehouse file and run again; if this persists, report it. {error}"
        ) from error
    return batch_id, sent
