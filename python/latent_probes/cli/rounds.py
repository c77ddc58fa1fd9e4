"""Commands for rounds: plan, run, show the status, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import interruptible, looking

Counter = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        callback=options.provider,
        help="Count the tokens of a sample of requests with this provider (free).",
    ),
]

GivenUp = Annotated[
    list[str] | None,
    typer.Option(
        "--give-up",
        metavar="BATCH",
        help="Close this open batch even if its provider does not answer: its requests land as "
        "missing and can be asked, and billed, again. Repeatable.",
    ),
]

Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Then, also after a failure, write all landed responses to this file, which "
        "--provider recorded replays.",
    ),
]

Recording = Annotated[
    Path | None,
    typer.Option(
        "--recording",
        metavar="FILE",
        help="With --provider recorded: the file to replay, instead of sample/responses.jsonl.",
    ),
]


def plan(provider: Counter = None) -> None:
    """Show the requests that each round still needs, and their expected cost.

    Token counts are measured on landed answers, counted by a provider, or estimated from
    characters; the plan shows which. Nothing is sent except to count tokens. While another process
    uses the warehouse, the plan is made from a temporary copy.
    """
    from latent_probes import providers, warehouse
    from latent_probes.common.home import BusyError
    from latent_probes.providers import ProviderError
    from latent_probes.queue import runner
    from latent_probes.reports import plan

    with looking() as here:
        uncounted: Exception | None = None
        if provider is not None:
            try:
                counter = providers.create(provider, here)
                warehouse.build(here, tested=False)
                runner.count_tokens(here, counter)
            except (ProviderError, BusyError) as error:
                uncounted = error
        with warehouse.built_here_or_beside(here) as there:
            plan.show(there)
        if uncounted is not None:
            raise uncounted


def run(
    provider: options.Answerer,
    once: options.Once = False,
    max_cost: options.MaxCost = None,
    record: Record = None,
    recording: Recording = None,
) -> None:
    """Send all pending requests and land the answers until the queue is empty.

    The command can be killed and rerun at any time: nothing is lost and nothing is asked twice.
    Submitted batches keep running (and are billed) after you stop; `cancel` stops them.

    The provider's key and address come from ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, the model of
    each stage from the round's line in seeds/rounds.csv.
    """
    from latent_probes import providers
    from latent_probes.common import home
    from latent_probes.providers import ProviderError
    from latent_probes.providers.recorded import Recorded
    from latent_probes.queue import recording as recordings
    from latent_probes.queue import runner
    from latent_probes.reports import batches, status

    with looking() as here:
        home.refuse_empty(here)
        if record is not None:
            recordings.refuse(record)
        try:
            created = providers.create(provider, here)
        except ProviderError:
            # A key would be of no use where the provider serves none of the models.
            runner.refuse_to_ask(here, provider)
            raise
        if recording is not None:
            if not isinstance(created, Recorded):
                raise typer.BadParameter("--recording is only for --provider recorded")
            created.recording = recording
        with recordings.recorded_after(here, record):
            with interruptible(lambda: batches.interrupted(here)):
                runner.answer_pending(here, created, once=once, max_cost=max_cost)
            status.show(here)


def status() -> None:
    """Show the progress of each round and the spend so far.

    While another process writes or reads the warehouse, this shows its last build.
    """
    from latent_probes import warehouse
    from latent_probes.reports import status

    with looking() as here:
        warehouse.show_last_build(here, status.show)


def cancel(give_up: GivenUp = None) -> None:
    """Cancel all open batches; answers completed by then still land.

    The next `run` sends canceled requests again. A batch whose answers are lost for good, because
    it was deleted or its server no longer exists, is closed by `--give-up`.
    """
    from latent_probes import providers
    from latent_probes.queue import runner
    from latent_probes.reports import batches

    with looking() as here:
        runner.cancel_batches(here, lambda name: providers.create(name, here), give_up or ())
        batches.canceled(here)
